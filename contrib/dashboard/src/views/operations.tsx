import type { BindcastEvent } from '@bindcast/client';
import { formatCount, formatDuration, formatValue } from '../format.ts';
import { useLatest } from '../hooks.ts';
import { number } from '../model.ts';
import { StateWord } from '../parts.tsx';

const KINDS = ['bulk_operation', 'import', 'export'];
export const OPERATIONS = [
  ...KINDS.flatMap((kind) => ['started', 'progress', 'completed', 'failed'].map((step) => `${kind}_${step}`)),
  ...['backup', 'restore'].flatMap((kind) => ['started', 'completed', 'failed'].map((step) => `${kind}_${step}`)),
];

/** Bulk operations, those under way and those that have ended, the latest first. */
export function Operations() {
  const latest = useLatest(OPERATIONS);
  const operations = new Map<string, BindcastEvent[]>();
  for (const event of latest.value) {
    // An operation is its publisher's: the same id of another one is another operation.
    const key = JSON.stringify([event.metadata?.correlation_id ?? event.id, event['source_user_id']]);
    operations.set(key, [...(operations.get(key) ?? []), event]);
  }
  return (
    <section class="page">
      {operations.size === 0 && <p class="faint">There are none.</p>}
      {[...operations].slice(0, 200).map(([key, events]) => (
        <Operation key={key} events={events} />
      ))}
    </section>
  );
}

function Operation({ events }: { events: BindcastEvent[] }) {
  const last = events[0]!, first = events.at(-1)!;
  const [, kind, step] = /^(.*)_(\w+)$/.exec(last.type)!;
  const member = (name: string) => events.find((event) => event.data[name] !== undefined)?.data[name];
  const over = step === 'completed' || step === 'failed';
  const done = member('done'), total = member('total'), reason = last.data['reason'];
  const percent = step === 'completed' ? 100 : number(member('percent'));
  const known = step === 'completed' || member('percent') !== undefined;
  return (
    <article class="card">
      <h2>
        {kind!.replaceAll('_', ' ')} <StateWord state={over ? (step === 'failed' ? 'failed' : 'completed') : 'running'} />{' '}
        <span class="faint">{formatValue(member('name') ?? member('description'))}</span>
      </h2>
      {(known || !over) && (
        <progress max={100} {...(known ? { value: percent } : {})} aria-label={`Progress of ${kind}`} />
      )}
      <p class="faint">
        {done !== undefined && formatCount(number(done))}
        {total !== undefined && ` of ${formatCount(number(total))}`}
        {known && ` · ${percent.toFixed(0)} %`}
        {last.data['rate_per_second'] !== undefined && ` · ${formatCount(number(last.data['rate_per_second']))} a second`}
        {!over && last.data['eta_seconds'] !== undefined && ` · ${formatDuration(number(last.data['eta_seconds']))} left`}
        {last.data['duration_seconds'] !== undefined && ` · took ${formatDuration(number(last.data['duration_seconds']))}`}
        {reason !== undefined && ` · ${formatValue(reason)}`}
        {' · since '}
        {new Date(first.timestamp).toLocaleString()} · by {formatValue(first['source_user_id'])}
      </p>
    </article>
  );
}
