import { RequestError, type BindcastEvent, type Client, type Gap, type ServerMessage, type State } from '@bindcast/client';
import { batch, effect, signal, untracked, type Signal } from '@preact/signals';
import { faultAt, type Fault } from '../../filter/fault.ts';
import { formatCount, formatMissing } from '../../format.ts';
import { newClient, state as sessionState } from '../../session.ts';
import type { Row } from './event_table.ts';
import { Ring } from './ring.ts';

const KEPT_ROWS = 20_000;
const SUBSCRIPTION = 'live';
const MOST_BACKLOG = 20; // messages: two seconds' worth, unless they come for want of room
const LOSSES_SHOWN_S = 5;

/** The events of one filter, by a connection of their own, so that nothing else comes with them. */
export class LiveStream {
  readonly rows = new Ring<Row>(KEPT_ROWS);
  /** Since the filter was chosen; those that others stand for are counted. */
  readonly received = signal(0);
  readonly missing = signal(0);
  readonly perSecond = signal(0);
  /** Why not everything is shown, or not at once; '' while it is. */
  readonly behind = signal('');
  readonly state: Signal<State>;
  /** Does everything that matches come? */
  readonly ready = signal(false);
  readonly fault = signal<Fault | undefined>(undefined);
  readonly client: Client;
  #changed: () => void;
  #received = 0;
  #missing = 0;
  #lossesSaid = ''; // by what came in the last seconds
  #lossesSaidAt = -Infinity;
  #toldAt = performance.now();
  #timer: ReturnType<typeof setInterval>;
  #followSession: () => void;
  #expression: string | undefined; // undefined: nothing is subscribed to
  #after = ''; // the id of the last event that the filter before may have let through,
  #epoch = ''; // and how ids of that life of the server begin

  constructor(changed: () => void) {
    this.#changed = changed;
    this.client = newClient({
      preferences: { max_batch_size: 500, batch_timeout_ms: 100 },
      onEvents: (events) => this.#take(events),
      onGap: (gap) => this.#takeGap(gap),
      onMessage: (message) => this.#takeMessage(message),
      onState: (now) => this.#stateChanged(now),
    });
    this.state = signal(this.client.state);
    // The session's connection finds out whether the server is there, and asks for a login where one is wanted.
    this.#followSession = effect(() => {
      if (sessionState.value.name === 'live') untracked(() => this.client.connect());
    });
    this.#timer = setInterval(() => this.#tell(), 1000);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#followSession();
    this.client.close();
  }

  /** The filter that what comes has passed; undefined before the first one. */
  get expression(): string | undefined {
    return this.#expression;
  }

  /** True: the rows begin anew, and only what matches comes. Else `fault` says why, and what came before goes on. */
  async filter(expression: string): Promise<boolean> {
    try {
      const subscription = { name: SUBSCRIPTION, ...(expression === '' ? {} : { filter: expression }) };
      const answer = await this.client.subscribe(subscription);
      this.#beginAfter(String(answer.data?.['after'] ?? ''));
      this.fault.value = undefined;
      this.#expression = expression;
      this.ready.value = true;
      return true;
    } catch (refusal) {
      const column = refusal instanceof RequestError ? refusal.details['column'] : undefined;
      this.fault.value = faultAt(expression, column, (refusal as Error).message);
      return false;
    }
  }

  // With what has come behind the answer by now, which is what the new filter let through.
  #beginAfter(id: string): void {
    this.#after = id;
    this.#epoch = id.slice(0, id.indexOf('-') + 1);
    const kept: Row[] = [];
    for (let row; (row = this.rows.newest(kept.length)) && !('event' in row && this.#isOfBefore(row.event)); ) kept.push(row);
    this.rows.clear();
    this.#received = this.#missing = 0;
    batch(() => (this.received.value = this.missing.value = 0));
    const first = kept.findLastIndex((row) => 'event' in row); // what was said before it is of the old filter
    kept.slice(0, first + 1).reverse().forEach((row) => this.#add(row));
    this.#changed();
  }

  #take(events: readonly BindcastEvent[]): void {
    for (const event of events) if (!this.#isOfBefore(event)) this.#add({ event });
    this.#changed();
  }

  #add(row: Row): void {
    this.rows.push(row);
    if ('note' in row) {
      this.#missing += row.missing;
      return;
    }
    const stands = row.event.type === 'dns_query_batch' ? row.event.data['count'] : undefined;
    if (stands !== undefined) this.#say('like queries come together');
    this.#received += typeof stands === 'number' ? stands : 1;
  }

  // Ids of one life of the server sort as text. What waits to be acknowledged comes again, and is of any time.
  #isOfBefore({ id, priority }: BindcastEvent): boolean {
    return this.#epoch !== '' && id.startsWith(this.#epoch) && id <= this.#after && priority !== 'critical' && priority !== 'urgent';
  }

  #takeGap(gap: Gap): void {
    if (gap.reason !== 'sampled') this.#say('events are missing');
    this.#note(gapText(gap), gap.count);
  }

  // After a reconnect the subscription may be refused, as that of a role that was changed.
  #takeMessage({ type, data }: ServerMessage): void {
    if (type !== 'error' || data?.['request'] !== 'subscribe') return;
    this.#expression = undefined;
    this.fault.value = { message: String(data['message']), column: undefined };
  }

  #say(losses: string): void {
    this.#lossesSaid = losses;
    this.#lossesSaidAt = performance.now();
  }

  #note(note: string, missing = 0): void {
    this.#add({ note, missing });
    this.#changed();
  }

  // Once a second, and less often in a tab that nobody sees.
  #tell(): void {
    const now = performance.now(), seconds = (now - this.#toldAt) / 1000;
    this.#toldAt = now;
    batch(() => {
      this.perSecond.value = Math.round((this.#received - this.received.value) / seconds);
      this.received.value = this.#received;
      this.missing.value = this.#missing;
      if (this.client.backlog > MOST_BACKLOG) this.behind.value = 'this page is behind';
      else if (now - this.#lossesSaidAt < LOSSES_SHOWN_S * 1000) this.behind.value = this.#lossesSaid;
      else this.behind.value = '';
    });
  }

  #stateChanged(now: State): void {
    const was = this.state.peek().name;
    this.state.value = now;
    this.ready.value = this.#expression !== undefined && now.name === 'live';
    if (was === 'live') this.#note('The connection was cut: queries are not told until it is there again.');
    if (now.name === 'live' && this.rows.size > 0) this.#note('Connected.');
  }
}

export function gapText(gap: Gap): string {
  const kinds = Object.entries(gap.by_type ?? {}).map(([type, count]) => `${type}: ${formatCount(count)}`);
  return `${formatMissing(gap.count)} here (${gap.reason.replaceAll('_', ' ')})${kinds.length > 0 ? `: ${kinds.join(', ')}` : ''}`;
}
