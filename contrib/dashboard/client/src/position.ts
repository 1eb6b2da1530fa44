import type { BindcastEvent } from './messages.ts';

const MOST_AHEAD = 500;

function epochOf(id: string): string {
  return id.slice(0, id.indexOf('-'));
}

/**
 * Where in the stream a client is: the id to come back with.
 *
 * That is the last one that came in order. Critical and urgent events come ahead of others, and come again when what was
 * missed is asked for; so do those that come live while what was missed has not begun. They are remembered one by one.
 */
export class Position {
  #at = '';
  #epoch = ''; // and its dash: how ids of the connection's life of the server begin
  #ahead = new Set<string>();
  #resuming = false;

  /** '' until there is one. */
  get at(): string {
    return this.#at;
  }

  /** Connected to this life of the server, whose last event has this offset. */
  connected(epoch: string, offset: number): void {
    this.#epoch = `${epoch}-`;
    if (this.#at === '') this.#at = this.#epoch + String(offset).padStart(12, '0');
  }

  /** What was missed is asked for, and begins only at resumed(). */
  resuming(): void {
    this.#resuming = true;
  }

  resumed(): void {
    this.#resuming = false;
  }

  /** Nothing of the past counts any more; the next connection begins where it is. */
  forget(): void {
    this.#at = '';
    this.#ahead.clear();
    this.#resuming = false;
  }

  /** Has the event not come before? One that is sent again because it waits for an acknowledgement counts as news. */
  isNews(event: BindcastEvent): boolean {
    if (event.metadata?.attempt !== undefined) return true;
    if (this.#ahead.delete(event.id)) {
      if (this.#comesAhead(event)) this.#ahead.add(event.id);
      return false;
    }
    if (!this.#comesAhead(event)) {
      this.#advance(event.id);
      return true;
    }
    if (epochOf(event.id) !== epochOf(this.#at) || event.id > this.#at) this.#ahead.add(event.id);
    if (this.#ahead.size > MOST_AHEAD) {
      const [oldest] = this.#ahead;
      this.#ahead.delete(oldest!);
      if (!this.#resuming) this.#advance(oldest!);
    }
    return true;
  }

  #comesAhead(event: BindcastEvent): boolean {
    return this.#resuming || event.priority === 'critical' || event.priority === 'urgent';
  }

  // Forward only. Of another epoch than the connection's are only events of the past, which come in order before those
  // of this one. Ids of one epoch sort as text.
  #advance(id: string): void {
    const isHere = id.startsWith(this.#epoch);
    if (this.#at.startsWith(this.#epoch) && (!isHere || id <= this.#at)) return;
    this.#at = id;
    for (const one of this.#ahead) {
      const passed = epochOf(one) === epochOf(id) ? one <= id : isHere;
      if (passed) this.#ahead.delete(one);
    }
  }
}
