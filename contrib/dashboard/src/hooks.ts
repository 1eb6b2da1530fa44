import type { BindcastEvent, Gap } from '@bindcast/client';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { known } from './model.ts';
import { api, loggedIn, notify, onEvents, onGap, welcome } from './session.ts';

const KEPT = 1000;
const LOSSES_MS = 5000; // from a loss to the look at what is stored: losses go on for a while

/** Now, as Date.now(), again every second. */
export function useNow(): number {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now.value;
}

/** The newest first. All times are of one form and one zone, so the texts are in order as the times are. */
export function byTime(a: BindcastEvent, b: BindcastEvent): number {
  if (a.timestamp !== b.timestamp) return a.timestamp < b.timestamp ? 1 : -1;
  return a.id < b.id ? 1 : -1;
}

/** The latest events of these types, from now on, whichever view is shown: what is not stored would be lost to it. */
export class Latest {
  readonly #types: string[];
  readonly #events = known<BindcastEvent[]>([]);
  #asking: ReturnType<typeof setTimeout> | undefined;

  constructor(types: string[]) {
    this.#types = types;
    onEvents((events) => this.#add(events));
    onGap((gap) => this.#lost(gap));
  }

  /** The newest first. */
  get events(): readonly BindcastEvent[] {
    return this.#events.value;
  }

  /** With those that are stored. Without a journal there is only what comes. */
  async ask(): Promise<void> {
    const user = welcome.peek()?.user;
    try {
      const answer = await api(`api/v1/events?type=${this.#types.join(',')}&limit=300`);
      if (welcome.peek()?.user === user) this.#add(answer['events'] as BindcastEvent[]);
    } catch (fault) {
      notify(`What was before is not known: ${(fault as Error).message}`);
    }
  }

  #lost({ by_type: kinds }: Gap): void {
    if (kinds !== undefined && !this.#types.some((type) => type in kinds)) return;
    this.#asking ??= setTimeout(() => {
      this.#asking = undefined;
      if (loggedIn.peek()) void this.ask();
    }, LOSSES_MS);
  }

  #add(more: readonly BindcastEvent[]): void {
    const wanted = more.filter((event) => this.#types.includes(event.type));
    if (wanted.length === 0) return;
    const before = this.#events.peek();
    const ids = new Set(before.map((event) => event.id));
    const fresh = wanted.filter((event) => !ids.has(event.id));
    this.#events.value = [...fresh, ...before].sort(byTime).slice(0, KEPT);
  }
}

export function useLatest(latest: Latest): readonly BindcastEvent[] {
  useEffect(() => void latest.ask(), []);
  return latest.events;
}
