import type { BindcastEvent } from '@bindcast/client';
import { formatCount, formatDuration, formatValue } from '../format.ts';
import { Latest, useLatest } from '../hooks.ts';
import { number } from '../model.ts';
import { Moment, More, StateWord } from '../parts.tsx';

const KINDS = ['bulk_operation', 'import', 'export'];
export const OPERATIONS = [
  ...KINDS.flatMap((kind) => ['started', 'progress', 'completed', 'failed'].map((step) => `${kind}_${step}`)),
  ...['backup', 'restore'].flatMap((kind) => ['started', 'completed', 'failed'].map((step) => `${kind}_${step}`)),
];

const MOST = 200;
const kept = new Latest(OPERATIONS);

/** Bulk operations, those under way and those that have ended, the latest first. */
export function Operations() {
  const latest = useLatest(kept);
  const operations = new Map<string, BindcastEvent[]>();
  for (const event of latest) {
    // An operation is its publisher's: the same id of another one is another operation.
    const key = JSON.stringify([event.metadata?.correlation_id ?? event.id, event['source_user_id']]);
    operations.set(key, [...(operations.get(key) ?? []), event]);
  }
  return (
    <section class="page" aria-label="Operations" tabIndex={0}>
      {operations.size === 0 && (
        <p class="empty">There are none. Imports, exports and backups that are published appear here with their progress.</p>
      )}
      {[...operations].slice(0, MOST).map(([key, events]) => (
        <Operation key={key} events={events} />
      ))}
      <More than={MOST} of={operations.size} what="older ones" />
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
  const rate = last.data['rate_per_second'], left = last.data['eta_seconds'], took = last.data['duration_seconds'];
  return (
    <article class={`card operation ${step}`}>
      <header>
        <h2>
          {kind!.replaceAll('_', ' ')} {formatValue(member('name') ?? member('description'))}
        </h2>
        <StateWord state={over ? step : 'running'} />
        {known && <span class="number">{percent.toFixed(0)} %</span>}
      </header>
      {(known || !over) && (
        <progress max={100} {...(known ? { value: percent } : {})} aria-label={`Progress of ${kind}`} />
      )}
      {reason !== undefined && <p class="bad">{formatValue(reason)}</p>}
      <p class="faint">
        {[
          done !== undefined && `${formatCount(number(done))}${total === undefined ? '' : ` of ${formatCount(number(total))}`}`,
          rate !== undefined && `${formatCount(number(rate))} a second`,
          !over && left !== undefined && `${formatDuration(number(left))} left`,
          took !== undefined && `took ${formatDuration(number(took))}`,
          `by ${formatValue(first['source_user_id'])}`,
          'since ',
        ].filter(Boolean).join(' · ')}
        <Moment at={first.timestamp} />
      </p>
    </article>
  );
}
