import type { BindcastEvent } from '@bindcast/client';
import { useSignal } from '@preact/signals';
import { Details } from '../details.tsx';
import { formatCount, formatValue } from '../format.ts';
import { Latest, useLatest } from '../hooks.ts';
import { list, number, values } from '../model.ts';
import { Moment, More } from '../parts.tsx';
import { rewrite, route } from '../route.ts';

export const CHANGES = ['zone_created', 'zone_updated', 'zone_deleted', 'zone_expired', 'record_created', 'record_updated',
  'record_deleted', 'record_bulk_operation', 'bind_reload', 'bind_config_change', 'config_change', 'rpz_update',
  'rpz_rule_created', 'rpz_rule_updated', 'rpz_rule_deleted', 'threat_feed_update'];
const kept = new Latest(CHANGES);
const SEARCHED = ['name', 'zone', 'policy_zone', 'rule'];
const NO_VIEW = '_default'; // of a server without views
const MOST_GROUPS = 200, MOST_OF_GROUP = 50;

/** What changed, and who did it, before and after side by side; what one update or reload brought stands together. */
export function Changes() {
  const latest = useLatest(kept);
  const opened = useSignal<BindcastEvent | undefined>(undefined);
  const search = route.value.arguments.get('search') ?? '';
  const wanted = search.toLowerCase();
  const groups = new Map<string, BindcastEvent[]>();
  for (const event of latest) {
    if (!SEARCHED.some((name) => formatValue(event.data[name]).toLowerCase().includes(wanted))) {
      if (wanted !== '') continue;
    }
    const key = event.metadata?.correlation_id ?? event.id;
    groups.set(key, [...(groups.get(key) ?? []), event]);
  }
  return (
    <section class="split">
      <div class="page">
        <form role="search" class="find" onSubmit={(event) => event.preventDefault()}>
          <label>
            Zone or name
            <input
              type="search"
              value={search}
              spellcheck={false}
              onInput={(event) => rewrite('changes', { search: event.currentTarget.value })}
            />
          </label>
        </form>
        {groups.size === 0 && (
          <p class="empty">{wanted === '' ? 'Nothing has changed.' : `Nothing of the latest changes has “${search}”.`}</p>
        )}
        {[...groups].slice(0, MOST_GROUPS).map(([key, events]) => (
          <article class="card" key={key}>
            <header>
              <h2>
                <Moment at={events[0]!.timestamp} />
              </h2>
              <span>{distinct(events.map((event) => formatValue(event.data['cause']))).join(', ')}</span>
              <Who events={events} />
              {events.length > 1 && <span class="faint">{formatCount(events.length)} changes</span>}
            </header>
            {events.slice(0, MOST_OF_GROUP).map((event) => (
              <Change key={event.id} event={event} open={() => (opened.value = event)} />
            ))}
            <More than={MOST_OF_GROUP} of={events.length} what="more" />
          </article>
        ))}
        <More than={MOST_GROUPS} of={groups.size} what="older ones" />
      </div>
      {opened.value && <Details event={opened.value} close={() => (opened.value = undefined)} />}
    </section>
  );
}

function distinct(texts: string[]): string[] {
  return [...new Set(texts)].filter(Boolean);
}

/** Who made a dynamic update. named's own changes have nobody. */
function Who({ events }: { events: BindcastEvent[] }) {
  const actors = distinct(events.map((event) => {
    const { client, key } = values(event.data['actor']);
    return [client !== undefined && formatValue(client), key !== undefined && `key ${formatValue(key)}`].filter(Boolean).join(', ');
  }));
  if (actors.length > 0)
    return (
      <span>
        by <strong>{actors.join('; ')}</strong>
      </span>
    );
  if (!events.some((event) => event.data['cause'] === 'update')) return null;
  return (
    <span class="faint" title="named's log says it, where a channel called bindcast is in named.conf">
      by whom is not known
    </span>
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
        {summary(event)}
      </span>
      {pairs.map(({ what, before, after }, at) => (
        <div class="sides" key={at}>
          {what && <span class="what">{what}</span>}
          <pre aria-label="Before">{formatValue(before) || '–'}</pre>
          <pre aria-label="After">{formatValue(after) || '–'}</pre>
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
  if (event.data['name'] !== undefined) said.push(`in ${formatValue(event.data['zone'])}`);
  const view = event.data['view'] ?? NO_VIEW;
  if (view !== NO_VIEW) said.push(`view ${formatValue(view)}`);
  if (outcome !== undefined) said.push(formatValue(outcome));
  if (rrsets !== undefined) said.push(`${formatCount(number(rrsets))} RRsets`);
  for (const counts of [values(records), values(rules)])
    for (const [what, count] of Object.entries(counts))
      if (number(count) > 0) said.push(`${formatCount(number(count))} ${what}`);
  const { from, to } = values(serial);
  if (to !== undefined) said.push(`serial ${formatValue(from)} → ${formatValue(to)}`);
  return said.join(', ');
}
