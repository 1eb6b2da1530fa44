import { RequestError, type BindcastEvent, type Client, type Gap, type State } from '@bindcast/client';
import { signal } from '@preact/signals';
import type { Fault } from '../../filter/completed_input.tsx';
import { formatCount } from '../../format.ts';
import { newClient, state as sessionState } from '../../session.ts';
import type { Row } from './event_table.ts';
import { Ring } from './ring.ts';

const KEPT_ROWS = 20_000;
const SUBSCRIPTION = 'live';

/** The events of one filter, by a connection of their own, so that nothing else comes with them. */
export class LiveStream {
  readonly rows = new Ring<Row>(KEPT_ROWS);
  readonly received = signal(0); // events, those that others stand for among them
  readonly perSecond = signal(0);
  readonly backlog = signal(0);
  /** Does everything that matches come? */
  readonly ready = signal(false);
  readonly fault = signal<Fault | undefined>(undefined);
  #client: Client;
  #changed: () => void;
  #received = 0;
  #timer: ReturnType<typeof setInterval>;
  #was: State['name'] = 'connecting';
  #subscribed = false;

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#client = newClient({
      preferences: { max_batch_size: 500, batch_timeout_ms: 100 },
      onEvents: (events) => this.#take(events),
      onGap: (gap) => this.#note(gapText(gap)),
      onState: (now) => this.#stateChanged(now),
    });
    this.#client.connect();
    let before = 0;
    this.#timer = setInterval(() => {
      this.perSecond.value = this.#received - before;
      this.received.value = before = this.#received;
      this.backlog.value = this.#client.backlog;
    }, 1000);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#client.close();
  }

  /** True: from now on only what matches comes. Else `fault` says why, and what came before goes on. */
  async filter(expression: string): Promise<boolean> {
    try {
      await this.#client.subscribe({ name: SUBSCRIPTION, ...(expression === '' ? {} : { filter: expression }) });
      this.fault.value = undefined;
      this.#subscribed = this.ready.value = true;
      return true;
    } catch (refusal) {
      const column = refusal instanceof RequestError ? refusal.details['column'] : undefined;
      this.fault.value = {
        message: (refusal as Error).message,
        column: typeof column === 'number' ? column : undefined,
      };
      return false;
    }
  }

  #take(events: readonly BindcastEvent[]): void {
    for (const event of events) {
      this.rows.push({ event });
      const stands = event.data['count'];
      this.#received += event.type === 'dns_query_batch' && typeof stands === 'number' ? stands : 1;
    }
    this.#changed();
  }

  #note(note: string): void {
    this.rows.push({ note });
    this.#changed();
  }

  #stateChanged(now: State): void {
    this.ready.value = this.#subscribed && now.name === 'live';
    if (now.name === this.#was) return;
    if (this.#was === 'live') this.#note('The connection was cut: queries are not told until it is there again.');
    if (now.name === 'live' && this.#was !== 'live' && this.rows.size > 0) this.#note('Connected.');
    // The session's own connection asks for a login; when it has one, this one tries again.
    if (now.name === 'unauthenticated' && sessionState.value.name === 'live') this.#client.connect();
    this.#was = now.name;
  }
}

export function gapText(gap: Gap): string {
  const kinds = Object.entries(gap.by_type ?? {}).map(([type, count]) => `${type}: ${formatCount(count)}`);
  const count = gap.count === 0 ? 'Events' : `${formatCount(gap.count)} events`;
  return `${count} are missing here (${gap.reason.replaceAll('_', ' ')})${kinds.length > 0 ? `: ${kinds.join(', ')}` : ''}`;
}
