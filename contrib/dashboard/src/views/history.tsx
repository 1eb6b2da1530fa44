import type { BindcastEvent } from '@bindcast/client';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { formatCount, formatValue } from '../format.ts';
import { rewrite, route } from '../route.ts';
import { api } from '../session.ts';
import { COLUMNS, FIRST_COLUMNS } from './live/columns.ts';
import { Details } from './live/details.tsx';

const FIELDS = [
  { name: 'since', title: 'From', placeholder: '2026-01-31T12:00:00Z, or an id' },
  { name: 'until', title: 'Until', placeholder: 'a time, or an id' },
  { name: 'type', title: 'Types', placeholder: 'zone_updated,record_created' },
  { name: 'category', title: 'Categories', placeholder: 'dns,security' },
  { name: 'filter', title: 'Filter', placeholder: 'qname under "example.com"' },
] as const;
const MOST_EXPORTED = 100_000;
const COLUMNS_SHOWN = COLUMNS.filter((one) => FIRST_COLUMNS.includes(one.key) && one.key !== 'time');

/** The journal: what is stored, searched, and exported. */
export function History() {
  const found = useSignal<BindcastEvent[]>([]);
  const cursor = useSignal<string | undefined>(undefined);
  const said = useSignal('');
  const busy = useSignal(false);
  const opened = useSignal<BindcastEvent | undefined>(undefined);
  const given = Object.fromEntries(FIELDS.map(({ name }) => [name, route.value.arguments.get(name) ?? '']));

  const page = async (limit: number, from?: string) => {
    const wanted = new URLSearchParams(Object.entries(given).filter(([, value]) => value !== ''));
    wanted.set('limit', String(limit));
    if (from !== undefined) wanted.set('cursor', from);
    return api(`api/v1/events?${wanted}`);
  };
  const guarded = async (act: () => Promise<void>) => {
    busy.value = true;
    try {
      await act();
    } catch (fault) {
      said.value = (fault as Error).message;
    } finally {
      busy.value = false;
    }
  };
  const look = (more: boolean) =>
    guarded(async () => {
      const answer = await page(200, more ? cursor.value : undefined);
      found.value = [...(more ? found.value : []), ...(answer['events'] as BindcastEvent[])];
      cursor.value = answer['cursor'] as string | undefined;
      said.value = `${formatCount(found.value.length)} events${cursor.value === undefined ? '' : ', and there are more'}`;
    });
  const save = (kind: 'json' | 'csv') =>
    guarded(async () => {
      const all: BindcastEvent[] = [];
      for (let from: string | undefined, first = true; (first || from !== undefined) && all.length < MOST_EXPORTED; first = false) {
        const answer = await page(1000, from);
        all.push(...(answer['events'] as BindcastEvent[]));
        from = answer['cursor'] as string | undefined;
        said.value = `${formatCount(all.length)} events read…`;
      }
      download(kind === 'json' ? JSON.stringify(all, null, 1) : csv(all), kind);
      said.value = `${formatCount(all.length)} events exported`;
    });
  useEffect(() => void look(false), [JSON.stringify(given)]);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const wanted = Object.fromEntries(FIELDS.map(({ name }) => [name, String(form.get(name) ?? '').trim()]));
    if (JSON.stringify(wanted) === JSON.stringify(given)) void look(false);
    else rewrite('history', wanted);
  };
  return (
    <section class="split">
      <div class="page">
        <form class="search" role="search" onSubmit={submit}>
          {FIELDS.map(({ name, title, placeholder }) => (
            <label key={name}>
              {title}
              <input name={name} placeholder={placeholder} defaultValue={given[name] ?? ''} spellcheck={false} />
            </label>
          ))}
          <button type="submit" class="primary" disabled={busy.value}>
            Search
          </button>
          <button type="button" onClick={() => void save('json')} disabled={busy.value}>
            Export JSON
          </button>
          <button type="button" onClick={() => void save('csv')} disabled={busy.value}>
            Export CSV
          </button>
        </form>
        <p role="status">{said.value}</p>
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
              {found.value.map((event) => (
                <tr key={event.id}>
                  <td>
                    <button type="button" class="plain" onClick={() => (opened.value = event)}>
                      {event.timestamp.slice(0, 19).replace('T', ' ')}
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
        {cursor.value !== undefined && (
          <button type="button" onClick={() => void look(true)} disabled={busy.value}>
            More
          </button>
        )}
      </div>
      {opened.value && <Details event={opened.value} close={() => (opened.value = undefined)} />}
    </section>
  );
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
