import type { BindcastEvent } from '@bindcast/client';
import { useSignal } from '@preact/signals';
import { formatCount, formatValue } from '../format.ts';
import { useLatest } from '../hooks.ts';
import { list, number, values } from '../model.ts';
import { Details } from './live/details.tsx';

export const CHANGES = ['zone_created', 'zone_updated', 'zone_deleted', 'zone_expired', 'record_created', 'record_updated',
  'record_deleted', 'record_bulk_operation', 'bind_reload', 'bind_config_change', 'config_change', 'rpz_update',
  'rpz_rule_created', 'rpz_rule_updated', 'rpz_rule_deleted', 'threat_feed_update'];

/** What changed, before and after side by side; what one update or reload brought stands together. */
export function Changes() {
  const latest = useLatest(CHANGES);
  const opened = useSignal<BindcastEvent | undefined>(undefined);
  const groups = new Map<string, BindcastEvent[]>();
  for (const event of latest.value) {
    const key = event.metadata?.correlation_id ?? event.id;
    groups.set(key, [...(groups.get(key) ?? []), event]);
  }
  return (
    <section class="split">
      <div class="page">
        {groups.size === 0 && <p class="faint">Nothing has changed.</p>}
        {[...groups].slice(0, 200).map(([key, events]) => (
          <article class="card group" key={key}>
            <h2>
              <time dateTime={events[0]!.timestamp}>{new Date(events[0]!.timestamp).toLocaleString()}</time>{' '}
              <span class="faint">
                {[...new Set(events.map((event) => formatValue(event.data['cause'])))].filter(Boolean).join(', ')}
                {events.length > 1 && ` · ${formatCount(events.length)} changes`}
              </span>
            </h2>
            {events.slice(0, 50).map((event) => (
              <Change key={event.id} event={event} open={() => (opened.value = event)} />
            ))}
            {events.length > 50 && <p class="faint">and {formatCount(events.length - 50)} more</p>}
          </article>
        ))}
      </div>
      {opened.value && <Details event={opened.value} close={() => (opened.value = undefined)} />}
    </section>
  );
}

function Change({ event, open }: { event: BindcastEvent; open: () => void }) {
  const data = event.data;
  const pairs = Array.isArray(data['changes'])
    ? list(data['changes']).map((one) => ({ what: formatValue(one['path']), before: one['before'], after: one['after'] }))
    : 'before' in data || 'after' in data
      ? [{ what: '', before: content(data['before']), after: content(data['after']) }]
      : [];
  return (
    <div class="change">
      <button type="button" class="plain" onClick={open}>
        {event.type}
      </button>{' '}
      <strong>{[data['name'] ?? data['rule'] ?? data['zone'] ?? data['policy_zone'], data['rtype']].filter(Boolean).map(formatValue).join(' ')}</strong>{' '}
      <span class="faint">
        {data['name'] !== undefined && `in ${formatValue(data['zone'])} `}
        {data['view'] !== undefined && `(${formatValue(data['view'])}) `}
        {summary(event)}
      </span>
      {pairs.map(({ what, before, after }, at) => (
        <div class="sides" key={at}>
          {what && <span class="what">{what}</span>}
          <pre aria-label="Before">{formatValue(before)}</pre>
          <pre aria-label="After">{formatValue(after)}</pre>
        </div>
      ))}
    </div>
  );
}

// The records of one side, one a line.
function content(side: unknown): string {
  const { ttl, rdata, ...more } = values(side);
  const lines = Array.isArray(rdata) ? rdata.map((one) => `${formatValue(ttl)} ${formatValue(one)}`) : [];
  const others = Object.entries(more).map(([key, value]) => `${key}: ${formatValue(value)}`);
  return [...lines, ...others].join('\n');
}

function summary(event: BindcastEvent): string {
  const { serial, records, rules, outcome, rrsets } = event.data;
  const said: string[] = [];
  if (outcome !== undefined) said.push(formatValue(outcome));
  if (rrsets !== undefined) said.push(`${formatCount(number(rrsets))} RRsets`);
  for (const counts of [values(records), values(rules)])
    for (const [what, count] of Object.entries(counts)) said.push(`${formatCount(number(count))} ${what}`);
  const { from, to } = values(serial);
  if (to !== undefined) said.push(`serial ${formatValue(from)} → ${formatValue(to)}`);
  return said.join(', ');
}
