// What is known of the server between events: its numbers over the last minutes, its health, what waits to be acknowledged.
import type { BindcastEvent, Subscription } from '@bindcast/client';
import { batch, computed, effect, signal, type Signal } from '@preact/signals';
import { client, loggedIn, notify, onEvents, onMessage, state, welcome } from './session.ts';

export type Values = Record<string, unknown>;

/** Values of hostile or older servers are what they are not expected to be. */
export const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
export const values = (value: unknown): Values => (typeof value === 'object' && value !== null ? (value as Values) : {});
export const list = (value: unknown): Values[] => (Array.isArray(value) ? value.map(values) : []);

// What one user was shown is not for the next one.
const forgetting: (() => void)[] = [];

function known<Value>(nothing: Value): Signal<Value> {
  const made = signal(nothing);
  forgetting.push(() => (made.value = nothing));
  return made;
}

// ── Alerts ──

/** Occurrences of one condition that wait for somebody. */
export interface Alert {
  key: string;
  event: BindcastEvent; // the latest
  since: string;
  occurrences: number;
  ids: Set<string>;
  /** The last step of its escalation that was taken. */
  step: BindcastEvent | undefined;
}

const MOST_ALERTS = 1000, MOST_IDS = 500;
const NAMED_BY = ['client', 'zone', 'policy_zone', 'rule', 'qname', 'domain', 'name', 'component', 'server', 'user'];

export const alerts = known<ReadonlyMap<string, Alert>>(new Map());
export const openAlerts = computed(() => alerts.value.size);
export const ended = known<Values[]>([]); // acknowledgements and recoveries, the newest first

function keyOf(event: BindcastEvent): string {
  return JSON.stringify([event.type, event.metadata?.view, ...NAMED_BY.map((name) => event.data[name])]);
}

function takeAlerts(events: readonly BindcastEvent[]): void {
  const now = new Map(alerts.value);
  for (const event of events) {
    if (event.type === 'notification_sent') {
      for (const alert of now.values())
        if (alert.ids.has(String(event.data['event'])) || alert.ids.has(String(event.data['alert'])))
          now.set(alert.key, { ...alert, step: event });
    } else if (event.priority === 'critical' || event.priority === 'urgent') {
      const key = keyOf(event);
      const known = now.get(key);
      const again = known?.ids.has(event.id) ?? false;
      const ids = known?.ids ?? new Set<string>();
      if (ids.size < MOST_IDS) ids.add(event.id);
      now.delete(key); // the latest one goes to the end
      now.set(key, {
        key, event, ids, since: known?.since ?? event.timestamp, step: known?.step,
        occurrences: (known?.occurrences ?? 0) + (again ? 0 : 1),
      });
      if (now.size > MOST_ALERTS) now.delete(now.keys().next().value!);
    }
  }
  alerts.value = now;
}

function end(ids: unknown): void {
  const over = new Set(Array.isArray(ids) ? ids.map(String) : []);
  alerts.value = new Map([...alerts.value].filter(([, alert]) => ![...alert.ids].some((id) => over.has(id))));
}

/** Rejects with what the server says is wrong. */
export async function acknowledge(alert: Alert, note: string): Promise<void> {
  const data = (await client.acknowledge([alert.event.id], note)).data ?? {};
  // Where nothing waits any more, somebody else was first, or the alert gave up: it is over in either case.
  end([...(Array.isArray(data['ids']) ? data['ids'] : []), ...list(data['errors']).map((one) => one['id'])]);
  ended.value = [{ ...data, note, event_type: alert.event.type }, ...ended.value].slice(0, 100);
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
  let epoch = '';
  onEvents((events) => {
    takeAlerts(events);
    events.forEach(takeNumbers);
  });
  onMessage((message) => {
    if (message.type !== 'acknowledged' || message.data === undefined) return;
    end(message.data['ids']);
    const recovered = message.data['resolved_by'] !== undefined && { by: 'nobody', note: 'It recovered.' };
    ended.value = [{ ...message.data, ...recovered }, ...ended.value].slice(0, 100);
  });
  effect(() => {
    if (state.value.name !== 'live') return;
    // Alerts do not outlive the process.
    if (epoch !== '' && epoch !== welcome.value?.epoch) alerts.value = new Map();
    epoch = welcome.value?.epoch ?? '';
    void takeHealth();
  });
  effect(() => {
    if (!loggedIn.value) return batch(() => forgetting.forEach((forget) => forget()));
    subscribe({ name: 'alerts', min_priority: 'critical' });
    subscribe({ name: 'views', event_types: [...NUMBERS, 'notification_sent', ...types] });
  });
  effect(() => {
    if (!loggedIn.value) return;
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
