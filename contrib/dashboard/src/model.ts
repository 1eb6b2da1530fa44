// What is known of the server between events: its numbers over the last minutes, its health, what waits to be acknowledged.
import type { BindcastEvent, Subscription } from '@bindcast/client';
import { batch, computed, effect, signal, type Signal } from '@preact/signals';
import { client, notify, onEvents, onMessage, state, welcome } from './session.ts';

export type Values = Record<string, unknown>;

/** Values of hostile or older servers are what they are not expected to be. */
export const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
export const values = (value: unknown): Values => (typeof value === 'object' && value !== null ? (value as Values) : {});
export const list = (value: unknown): Values[] => (Array.isArray(value) ? value.map(values) : []);

const forgetting: (() => void)[] = [];

/** What one user is shown, and what is nothing again for the next one. */
export function known<Value>(nothing: Value): Signal<Value> {
  const made = signal(nothing);
  forgetting.push(() => (made.value = nothing));
  return made;
}

// ── Alerts ──

/** Occurrences of one condition that wait for somebody, as the server has them together. */
export interface Alert {
  id: string; // of its first event
  event: BindcastEvent; // the latest
  occurrences: number;
  openSince: number; // as Date.now()
  steps: number[]; // of the ladder, from 1, those that were taken
  givenUp: boolean; // nobody is asked any more
}

/** A step of the ladder that alerts climb. */
export interface Step {
  afterSeconds: number;
  roles: string[];
  repeat: boolean;
  webhook: boolean;
  priority: string; // '': stays
}

export const alerts = known<Alert[]>([]); // the most pressing and oldest first
export const ladder = known<Step[]>([]);
const alertsLeftOut = known(0); // that are open beside those
export const openAlerts = computed(() => alerts.value.length + alertsLeftOut.value);

const ALERTS_SOON_MS = 200, ALERTS_EVERY_MS = 30_000;
let asking: ReturnType<typeof setTimeout> | undefined;

// What one event changes only the server knows, so it is asked for all: once for all that comes in a moment.
function askForAlerts(): void {
  asking ??= setTimeout(async () => {
    asking = undefined;
    const answer = await client.request('get_alerts').catch(() => undefined); // asked again when it is there again
    if (answer !== undefined) takeAlerts(answer.data ?? {});
  }, ALERTS_SOON_MS);
}

function takeAlerts(data: Values): void {
  alerts.value = list(data['alerts']).map((one) => ({
    id: String(one['alert']),
    event: one['event'] as BindcastEvent,
    occurrences: number(one['occurrences']),
    openSince: Date.now() - number(one['open_for_seconds']) * 1000,
    steps: Array.isArray(one['steps']) ? one['steps'].map(Number) : [],
    givenUp: one['given_up'] === true,
  }));
  alertsLeftOut.value = number(data['left_out']);
  ladder.value = list(data['escalation']).map((one) => ({
    afterSeconds: number(one['after_seconds']),
    roles: Array.isArray(one['roles']) ? one['roles'].map(String) : [],
    repeat: one['repeat'] === true,
    webhook: one['webhook'] === true,
    priority: String(one['priority'] ?? ''),
  }));
}

/** Rejects with what the server says is wrong. */
export async function acknowledge(alert: Alert, note: string): Promise<void> {
  // Where nothing waits any more, somebody else was first, or the alert is over: the next look shows it.
  await client.acknowledge([alert.event.id], note);
  askForAlerts();
}

/** Of the events that tell how alerts fare. */
export const ALERT_NEWS = ['notification_sent', 'notification_acknowledged', 'webhook_triggered'];

function mayChangeAlerts(event: BindcastEvent): boolean {
  return event.priority === 'critical' || event.priority === 'urgent' || ALERT_NEWS.includes(event.type);
}

// ── Numbers ──

/** One number over time, for a chart: seconds since 1970, and its values. */
export interface Series {
  times: number[];
  lines: Record<string, number[]>;
}

const KEPT_SECONDS = 900;

export const queryStats = known<Values>({}); // the data of the last dns_query_stats, and so on
export const bindStatus = known<Values>({});
export const analytics = known<Values>({});
export const system = known<Values>({});
export const health = known<Values[]>([]);
export const forwarders = known<ReadonlyMap<string, Values>>(new Map());
export const rcodes = known<Series>({ times: [], lines: {} });
export const latency = known<Series>({ times: [], lines: {} });
export const queryRate = known<Series>({ times: [], lines: {} });
export const cacheHits = known<Series>({ times: [], lines: {} }); // percent
export const blockedShare = known<Series>({ times: [], lines: {} }); // percent

function appended(series: Series, timestamp: string, point: Record<string, number>): Series {
  const time = Date.parse(timestamp) / 1000;
  const length = series.times.length;
  const lines: Record<string, number[]> = {};
  for (const name of new Set([...Object.keys(series.lines), ...Object.keys(point)]))
    lines[name] = [...(series.lines[name] ?? new Array<number>(length).fill(0)), point[name] ?? 0];
  const times = [...series.times, time];
  const old = times.findIndex((one) => one > time - KEPT_SECONDS);
  for (const name of Object.keys(lines)) lines[name] = lines[name]!.slice(old);
  return { times: times.slice(old), lines };
}

// Rates of the rcodes that matter by themselves, and all others together.
function rcodeRates(data: Values): Record<string, number> {
  const seconds = number(data['interval_seconds']) || 1;
  const rates: Record<string, number> = { NOERROR: 0, NXDOMAIN: 0, SERVFAIL: 0, others: 0 };
  for (const [rcode, count] of Object.entries(values(data['by_rcode'])))
    rates[rcode in rates ? rcode : 'others']! += number(count) / seconds;
  return rates;
}

function takeNumbers(event: BindcastEvent): void {
  const data = event.data;
  switch (event.type) {
    case 'dns_query_stats':
      queryStats.value = data;
      rcodes.value = appended(rcodes.value, event.timestamp, rcodeRates(data));
      queryRate.value = appended(queryRate.value, event.timestamp, { qps: number(data['qps']) });
      if (data['cache_hit_ratio'] !== undefined)
        cacheHits.value = appended(cacheHits.value, event.timestamp, { percent: number(data['cache_hit_ratio']) * 100 });
      break;
    case 'bind_status_update':
      bindStatus.value = data;
      break;
    case 'dns_analytics_update': {
      analytics.value = data;
      const us = values(data['latency_us']);
      latency.value = appended(latency.value, event.timestamp, {
        p50: number(us['p50']) / 1000, p90: number(us['p90']) / 1000, p99: number(us['p99']) / 1000,
      });
      blockedShare.value = appended(blockedShare.value, event.timestamp, { percent: number(data['blocked_share']) * 100 });
      break;
    }
    case 'system_metrics':
      system.value = data;
      break;
    case 'health_update':
      health.value = list(data['components']);
      break;
    case 'forwarder_health_check':
      forwarders.value = new Map(forwarders.value).set(String(data['server']), data);
      break;
    case 'forwarder_status_change': {
      const server = String(data['server']);
      const known = forwarders.value.get(server);
      forwarders.value = new Map(forwarders.value).set(server, { ...known, server, state: data['after'] });
      break;
    }
  }
}

// Between the first and the next health_update, the status has it.
async function takeHealth(): Promise<void> {
  const status = (await client.request('get_status').catch(() => undefined))?.data ?? {};
  const components = Object.entries(values(values(status['health'])['components']));
  if (health.value.length === 0)
    health.value = components.map(([component, entry]) => ({ component, ...values(entry) }));
}

// Changes of subscriptions are rationed by the server, so the views do not make any: they all look at one, which has the
// types of all of them.

/** Once, at the start of the page. */
export function watchServer(types: string[]): void {
  // What he may not see is not asked for: admins are told of each refusal. Undefined while nobody is logged in.
  const visible = computed(() => {
    const hidden = welcome.value?.hidden_types;
    return hidden && [...NUMBERS, ...types].filter((type) => !hidden.includes(type)).join();
  });
  onEvents((events) => {
    if (events.some(mayChangeAlerts)) askForAlerts();
    events.forEach(takeNumbers);
  });
  onMessage((message) => {
    if (message.type === 'acknowledged') askForAlerts();
  });
  effect(() => {
    if (state.value.name !== 'live') return;
    askForAlerts();
    void takeHealth();
  });
  setInterval(() => state.value.name === 'live' && askForAlerts(), ALERTS_EVERY_MS); // some end by themselves
  effect(() => {
    if (visible.value === undefined) return batch(() => forgetting.forEach((forget) => forget()));
    subscribe({ name: 'alerts', min_priority: 'critical' });
    if (visible.value !== '') subscribe({ name: 'views', event_types: visible.value.split(',') });
  });
  effect(() => {
    if (visible.value === undefined) return;
    if (analyticsWanted.value) subscribe({ name: ANALYTICS, event_types: ['dns_analytics_update'] });
    else client.unsubscribe(ANALYTICS).catch(() => {});
  });
}

function subscribe(subscription: Subscription): void {
  client.subscribe(subscription).catch((fault: Error) => notify(fault.message));
}

const NUMBERS = ['dns_query_stats', 'bind_status_update', 'system_metrics', 'health_update', 'forwarder_status_change',
  'forwarder_health_check'];
const ANALYTICS = 'analytics';
const LINGER_MS = 60_000;
const analyticsWanted = signal(false);
let lingering: ReturnType<typeof setTimeout> | undefined;

/**
 * The server counts for dns_analytics_update only while somebody wants it. What is returned says that it is not wanted
 * any more, which is believed after a while.
 */
export function wantAnalytics(): () => void {
  clearTimeout(lingering);
  analyticsWanted.value = true;
  return () => {
    lingering = setTimeout(() => (analyticsWanted.value = false), LINGER_MS);
  };
}
