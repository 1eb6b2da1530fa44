import type { BindcastEvent } from '@bindcast/client';
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { COLUMNS, FIRST_COLUMNS } from '../columns.ts';
import { Details } from '../details.tsx';
import { CompletedInput } from '../filter/completed_input.tsx';
import { completeNames } from '../filter/completion.ts';
import { faultAt, type Fault } from '../filter/fault.ts';
import { FilterInput } from '../filter/filter_bar.tsx';
import { narrowed, term } from '../filter/terms.ts';
import { CATEGORIES, EVENT_TYPES } from '../filter/vocabulary.ts';
import { formatEvents, formatMoment, formatValue, momentFrom } from '../format.ts';
import { Moment } from '../parts.tsx';
import { rewrite, route } from '../route.ts';
import { api } from '../session.ts';

const FIELDS = ['since', 'until', 'type', 'category', 'filter'] as const;
type Search = Record<(typeof FIELDS)[number], string>;

const completeTypes = completeNames(EVENT_TYPES), completeCategories = completeNames(CATEGORIES);
const PER_PAGE = 200, PER_EXPORTED_PAGE = 1000, MOST_EXPORTED = 100_000;
const COLUMNS_SHOWN = COLUMNS.filter((one) => FIRST_COLUMNS.includes(one.key) && one.key !== 'time');
const TIMES: { title: string; since: () => string }[] = [
  { title: 'Last hour', since: () => moment(Date.now() - 3_600_000) },
  { title: 'Today', since: () => moment(new Date().setHours(0, 0, 0, 0)) },
  { title: 'Last 7 days', since: () => moment(Date.now() - 7 * 86_400_000) },
  { title: 'All', since: () => '' },
];

/** The journal: what is stored, searched, and exported. */
export function History() {
  const found = useSignal<BindcastEvent[] | undefined>(undefined);
  const cursor = useSignal<string | undefined>(undefined);
  const said = useSignal('');
  const fault = useSignal<Fault | undefined>(undefined); // of the filter
  const reading = useSignal<AbortController | undefined>(undefined);
  const exporting = useSignal(false);
  const opened = useSignal<BindcastEvent | undefined>(undefined);
  const form = useRef<HTMLFormElement>(null);
  const given = Object.fromEntries(FIELDS.map((name) => [name, route.value.arguments.get(name) ?? ''])) as Search;

  const page = async (limit: number, stop: AbortSignal, from?: string) => {
    const wanted = new URLSearchParams(Object.entries(given).filter(([, value]) => value !== ''));
    wanted.set('limit', String(limit));
    if (from !== undefined) wanted.set('cursor', from);
    const answer = await api(`api/v1/events?${wanted}`, { signal: stop });
    return { events: answer['events'] as BindcastEvent[], cursor: answer['cursor'] as string | undefined };
  };
  // One thing is read at a time; what comes later takes its place.
  const read = async (act: (stop: AbortSignal) => Promise<void>) => {
    reading.peek()?.abort();
    const mine = (reading.value = new AbortController());
    try {
      await act(mine.signal);
      fault.value = undefined;
    } catch (refusal) {
      if (mine.signal.aborted) return;
      fault.value = filterFault(given.filter, (refusal as Error).message);
      said.value = fault.value === undefined ? (refusal as Error).message : '';
    } finally {
      if (reading.peek() === mine) reading.value = undefined;
    }
  };
  const look = (more: boolean) =>
    read(async (stop) => {
      const answer = await page(PER_PAGE, stop, more ? cursor.value : undefined);
      const all = [...(more ? (found.value ?? []) : []), ...answer.events];
      found.value = all;
      cursor.value = answer.cursor;
      said.value = `${formatEvents(all.length)}${answer.cursor === undefined ? '' : ', and there are more'}`;
    });
  const save = async (kind: 'json' | 'csv') => {
    exporting.value = true;
    await read(async (stop) => {
      const all: BindcastEvent[] = [];
      let from: string | undefined;
      do {
        const answer = await page(PER_EXPORTED_PAGE, stop, from);
        all.push(...answer.events);
        from = answer.cursor;
        said.value = `${formatEvents(all.length)} read…`;
      } while (from !== undefined && all.length < MOST_EXPORTED);
      download(kind === 'json' ? JSON.stringify(all, null, 1) : csv(all), kind);
      said.value = `${formatEvents(all.length)} exported${from === undefined ? '' : ', the newest; there are more'}`;
    });
    exporting.value = false;
  };
  const stop = () => {
    reading.value?.abort();
    reading.value = undefined;
    said.value = 'Stopped: nothing was exported.';
  };
  useEffect(() => void look(false), [JSON.stringify(given)]);
  useEffect(() => () => reading.peek()?.abort(), []);

  const search = (more: Partial<Search> = {}) => {
    const entered = new FormData(form.current!);
    const wanted = Object.fromEntries(FIELDS.map((name) => [name, String(entered.get(name) ?? '').trim()])) as Search;
    wanted.since = momentFrom(wanted.since);
    wanted.until = momentFrom(wanted.until);
    Object.assign(wanted, more);
    if (JSON.stringify(wanted) === JSON.stringify(given)) void look(false);
    else rewrite('history', wanted);
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    search();
  };
  const narrow = (field: string, value: unknown, operator: '=' | '!=') =>
    search({ filter: narrowed(given.filter, term(field, value, operator)) });
  const busy = reading.value !== undefined;
  return (
    <section class="split">
      <div class="page">
        <form class="card search" role="search" onSubmit={submit} ref={form}>
          <div class="wide-field">
            <span aria-hidden="true">Filter</span>
            <FilterInput filter={given.filter} fault={fault.value} />
          </div>
          <div>
            <span aria-hidden="true">Types</span>
            <CompletedInput name="type" label="Types" value={given.type} placeholder="zone_updated,record_created" complete={completeTypes} />
          </div>
          <div>
            <span aria-hidden="true">Categories</span>
            <CompletedInput name="category" label="Categories" value={given.category} placeholder="dns,security" complete={completeCategories} />
          </div>
          <Time name="since" title="From" value={given.since} />
          <Time name="until" title="Until" value={given.until} />
          <div class="buttons">
            <button type="submit" class="primary" disabled={busy}>
              Search
            </button>
            {TIMES.map(({ title, since }) => (
              <button type="button" key={title} onClick={() => search({ since: since(), until: '' })}>
                {title}
              </button>
            ))}
            <span class="gap" />
            {exporting.value ? (
              <button type="button" onClick={stop}>
                Stop the export
              </button>
            ) : (
              <>
                <button type="button" onClick={() => void save('json')} disabled={busy}>
                  Export JSON
                </button>
                <button type="button" onClick={() => void save('csv')} disabled={busy}>
                  Export CSV
                </button>
              </>
            )}
          </div>
        </form>
        <p role="status">{said.value}</p>
        {found.value?.length === 0 && <p class="empty">Nothing that is stored matches.</p>}
        {found.value !== undefined && found.value.length > 0 && (
          <Found events={found.value} open={(event) => (opened.value = event)} />
        )}
        {cursor.value !== undefined && (
          <button type="button" onClick={() => void look(true)} disabled={busy}>
            More
          </button>
        )}
      </div>
      {opened.value && <Details event={opened.value} filterBy={narrow} close={() => (opened.value = undefined)} />}
    </section>
  );
}

function moment(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+/, '');
}

/** A time of the browser's zone, or the id of an event. */
function Time({ name, title, value }: { name: string; title: string; value: string }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current!.value = formatMoment(value);
  }, [value]);
  return (
    <label>
      {title}
      <input ref={input} name={name} placeholder="2026-01-31 12:00, or an id" spellcheck={false} autocomplete="off" />
    </label>
  );
}

function Found({ events, open }: { events: BindcastEvent[]; open: (event: BindcastEvent) => void }) {
  return (
    <div class="card wide" role="region" aria-label="Found events" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {COLUMNS_SHOWN.map((one) => (
              <th scope="col" key={one.key}>
                {one.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={event.id}>
              <td>
                <button type="button" class="plain" onClick={() => open(event)}>
                  <Moment at={event.timestamp} />
                </button>
              </td>
              {COLUMNS_SHOWN.map((one) => (
                <td key={one.key}>{one.text(event)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// The server says it in words: `filter, column 7: …`.
function filterFault(filter: string, message: string): Fault | undefined {
  const [, column, what] = /^filter, column (\d+): (.*)$/.exec(message) ?? [];
  return what === undefined ? undefined : faultAt(filter, Number(column), what);
}

const CSV_COLUMNS = ['id', 'timestamp', 'type', 'category', 'priority', 'severity'];

/** Data goes as one member of JSON, since its members are others for each type. */
function csv(events: BindcastEvent[]): string {
  const lines = events.map((event) => [...CSV_COLUMNS.map((name) => quoted(formatValue(event[name]))), quoted(JSON.stringify(event.data))]);
  return [[...CSV_COLUMNS, 'data'], ...lines].map((cells) => cells.join(',')).join('\r\n') + '\r\n';
}

// A spreadsheet takes a cell that begins so for a formula, and names and texts are not ours.
function quoted(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

function download(text: string, kind: 'json' | 'csv'): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: kind === 'json' ? 'application/json' : 'text/csv' }));
  link.download = `bindcast-events.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
