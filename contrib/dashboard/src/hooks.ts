import type { BindcastEvent } from '@bindcast/client';
import { useSignal, type ReadonlySignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, notify, onEvents } from './session.ts';

const KEPT = 1000;

/** The latest events of these types, the newest first: those that are stored, and those that come. */
export function useLatest(types: string[]): ReadonlySignal<BindcastEvent[]> {
  const latest = useSignal<BindcastEvent[]>([]);
  useEffect(() => {
    const wanted = new Set(types);
    const add = (more: readonly BindcastEvent[]) => {
      const known = new Set(latest.peek().map((event) => event.id));
      const fresh = more.filter((event) => wanted.has(event.type) && !known.has(event.id));
      if (fresh.length === 0) return;
      latest.value = [...fresh, ...latest.peek()]
        .sort((a, b) => b.timestamp.localeCompare(a.timestamp) || b.id.localeCompare(a.id))
        .slice(0, KEPT);
    };
    const end = onEvents(add);
    // Without a journal there is only what comes.
    api(`api/v1/events?type=${types.join(',')}&limit=300`)
      .then((answer) => add(answer['events'] as BindcastEvent[]))
      .catch((fault: Error) => notify(`What was before is not known: ${fault.message}`));
    return end;
  }, []);
  return latest;
}
