// What is known of the server between events: its numbers over the last minutes, its health, what waits to be acknowledged.
import type { BindcastEvent, Gap, Subscription } from '@bindcast/client';
import { batch, computed, effect, signal, untracked, type Signal } from '@preact/signals';
import { client, mayWatch, notify, onEvents, onGap, onMessage, state, welcome } from './session.ts';

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

/** Numbers over time, for a chart: seconds since 1970, and the values; null where nothing is known. */
export interface Series {
  times: number[];
  lines: Record<string, (number | null)[]>;
}

const KEPT_SECONDS = 900;
const LONGEST_STEP = 2.5; // intervals from one point to the next: one that is late is none that is missing
const NOTHING: Series = { times: [], lines: {} };

export const queryStats = known<Values>({}); // the data of the last dns_query_stats, and so on
export const bindStatus = known<Values>({});
export const analytics = known<Values>({});
export const system = known<Values>({});
export const health = known<Values[]>([]);
export const forwarders = known<ReadonlyMap<string, Values>>(new Map());
export const rcodes = known(NOTHING);
export const latency = known(NOTHING);
export const queryRate = known(NOTHING);
export const cacheHits = known(NOTHING); // percent
export const blockedShare = known(NOTHING); // percent

// With a point that tells of these seconds before its time. A longer time since the last one is a gap, and stays one.
function appended(series: Series, timestamp: string, seconds: number, point: Record<string, number>): Series {
  const time = Date.parse(timestamp) / 1000;
  const last = series.times.at(-1) ?? time;
  const before = last > time ? NOTHING : series; // the server's clock was set back
  const gap = time - last > LONGEST_STEP * seconds ? [time - seconds] : [];
  const times = [...before.times, ...gap, time];
  const lines: Series['lines'] = {};
  for (const name of new Set([...Object.keys(before.lines), ...Object.keys(point)])) {
    const line = before.lines[name] ?? before.times.map(() => null);
    lines[name] = [...line, ...gap.map(() => null), point[name] ?? null];
  }
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
  const seconds = number(data['interval_seconds']) || number(data['interval_ms']) / 1000 || Infinity;
  const draw = (series: Signal<Series>, point: Record<string, number>) =>
    (series.value = appended(series.value, event.timestamp, seconds, point));
  switch (event.type) {
    case 'dns_query_stats':
      queryStats.value = data;
      draw(rcodes, rcodeRates(data));
      draw(queryRate, { qps: number(data['qps']) });
      if (data['cache_hit_ratio'] !== undefined) draw(cacheHits, { percent: number(data['cache_hit_ratio']) * 100 });
      break;
    case 'bind_status_update':
      bindStatus.value = data;
      break;
    case 'dns_analytics_update': {
      if (analyticsWanted.peek()) analytics.value = data;
      const us = values(data['latency_us']);
      draw(latency, { p50: number(us['p50']) / 1000, p90: number(us['p90']) / 1000, p99: number(us['p99']) / 1000 });
      draw(blockedShare, { percent: number(data['blocked_share']) * 100 });
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
      const checked = forwarders.value.get(server);
      forwarders.value = new Map(forwarders.value).set(server, { ...checked, server, state: data['after'] });
      break;
    }
  }
}

// Of another life of the server: what it does not have any more it does not tell of.
function forgetComponents(): void {
  health.value = [];
  forwarders.value = new Map();
}

// Between the first and the next health_update, the status has it.
async function takeHealth(): Promise<void> {
  const status = (await client.request('get_status').catch(() => undefined))?.data ?? {};
  const components = Object.entries(values(values(status['health'])['components']));
  if (health.value.length === 0)
    health.value = components.map(([component, entry]) => ({ component, ...values(entry) }));
}

// ── What is missing ──

/** Of what the views are about: how many events did not come, and what was said last of it, when. */
export interface Missing {
  count: number;
  last: Gap;
  at: string;
}

export const missing = known<Missing | undefined>(undefined);

function takeGap(gap: Gap): void {
  missing.value = { count: (missing.value?.count ?? 0) + gap.count, last: gap, at: new Date().toISOString() };
}

// Changes of subscriptions are rationed by the server, so the views do not make any: they all look at one, which has the
// types of all of them.

/** Once, at the start of the page. */
export function watchServer(types: string[]): void {
  // What he may not see is not asked for: admins are told of each refusal. Undefined while nobody is logged in who may watch.
  const visible = computed(() => {
    const hidden = mayWatch.value ? welcome.value?.hidden_types : undefined;
    return hidden && [...NUMBERS, ...types].filter((type) => !hidden.includes(type)).join();
  });
  onEvents((events) => {
    if (events.some(mayChangeAlerts)) askForAlerts();
    events.forEach(takeNumbers);
  });
  onGap(takeGap);
  onMessage((message) => {
    if (message.type === 'acknowledged') askForAlerts();
  });
  let epoch = '';
  effect(() => {
    if (!isWatching()) return;
    if (welcome.value?.epoch !== epoch) untracked(forgetComponents);
    epoch = welcome.value?.epoch ?? '';
    askForAlerts();
    void takeHealth();
  });
  setInterval(() => isWatching() && askForAlerts(), ALERTS_EVERY_MS); // some end by themselves
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

const isWatching = () => state.value.name === 'live' && mayWatch.value;

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
    lingering = setTimeout(() => {
      analyticsWanted.value = false;
      analytics.value = {}; // it would be taken for what is now
    }, LINGER_MS);
  };
}
