import type { BindcastEvent } from '@bindcast/client';
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { COLUMNS, FIRST_COLUMNS, FIRST_COLUMNS_OF_A_PHONE, type Column } from '../../columns.ts';
import { Connection } from '../../connection.tsx';
import { Details } from '../../details.tsx';
import { FilterBar } from '../../filter/filter_bar.tsx';
import { narrowed, term } from '../../filter/terms.ts';
import { formatCount } from '../../format.ts';
import { rewrite, route } from '../../route.ts';
import { state as sessionState } from '../../session.ts';
import { EventTable, type Row } from './event_table.ts';
import type { Ring } from './ring.ts';
import { LiveStream } from './stream.ts';

const PHONE = matchMedia('(max-width: 700px)');

/** The stream as a table, the newest first. It stands still while it is paused or read further down. */
export function Live() {
  const scroller = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const table = useRef<EventTable | undefined>(undefined);
  const stands = useSignal<Ring<Row> | undefined>(undefined); // the rows as they were when it was paused
  const opened = useSignal<BindcastEvent | undefined>(undefined);
  const given = route.value.arguments;
  const filter = given.get('filter') ?? '';
  const asked = (given.get('columns') ?? '').split(',').filter((key) => COLUMNS.some((one) => one.key === key));
  const columnKeys = asked.length > 0 ? asked : PHONE.matches ? FIRST_COLUMNS_OF_A_PHONE : FIRST_COLUMNS;
  const columns = useMemo(() => COLUMNS.filter((one) => columnKeys.includes(one.key)), [columnKeys.join()]);
  const stream = useMemo(() => new LiveStream(() => stands.peek() === undefined && table.current?.refresh()), []);

  const pause = () => {
    if (stands.peek() === undefined) stands.value = stream.rows.copy();
  };
  const goOn = () => {
    stands.value = undefined;
    table.current?.toTop();
  };
  const address = (more: Record<string, string>) =>
    rewrite('live', { filter, columns: given.get('columns') ?? '', ...more });
  const apply = async (expression: string) => {
    if (!(await stream.filter(expression))) return;
    goOn();
    address({ filter: expression });
  };
  const narrow = (field: string, value: unknown, operator: '=' | '!=' = '=') =>
    void apply(narrowed(filter, term(field, value, operator)));

  const listener = useRef({ narrow, pause });
  listener.current = { narrow, pause };
  useEffect(() => {
    const made = new EventTable(scroller.current!, body.current!, stream.rows, {
      open: (row) => (opened.value = 'event' in row ? row.event : undefined),
      filterBy: (event, column) => listener.current.narrow(column.field!(event), fieldValue(event, column)),
      scrolledAway: () => listener.current.pause(),
      selected: () => listener.current.pause(),
    });
    table.current = made;
    return () => {
      made.end();
      stream.end();
    };
  }, []);
  // Of an address that is opened, also while this view is shown already.
  useEffect(() => {
    if (filter === stream.expression) stream.fault.value = undefined;
    else void stream.filter(filter).then((begun) => begun && goOn());
  }, [filter]);
  useEffect(() => {
    table.current!.columns = columns;
    scroller.current!.style.setProperty('--columns', columns.map((one) => one.width).join(' '));
  }, [columns]);
  useSignalEffect(() => table.current?.show(stands.value ?? stream.rows));

  return (
    <section class="live">
      <div class="bar">
        <FilterBar filter={filter} fault={stream.fault.value} apply={apply} />
        <button type="button" aria-pressed={stands.value !== undefined} onClick={() => (stands.value ? goOn() : pause())}>
          {stands.value ? 'Go on' : 'Pause'}
        </button>
        <ColumnChoice columns={columnKeys} choose={(keys) => address({ columns: keys.join(',') })} />
        <span class="rate">
          {formatCount(stream.perSecond.value)} events/s, {formatCount(stream.received.value)} in all
          {stream.missing.value > 0 && `, ${formatCount(stream.missing.value)} missing`}
          <strong role="status">{stream.behind.value && ` · ${stream.behind.value}`}</strong>
        </span>
        {sessionState.value.name === 'live' && stream.state.value.name !== 'live' && (
          <Connection of={stream.client} state={stream.state.value} />
        )}
      </div>
      <div class="split">
        <div
          ref={scroller}
          class="table"
          role="grid"
          tabIndex={0}
          aria-label="Events, the newest first"
          aria-rowcount={-1}
          aria-busy={!stream.ready.value}
        >
          <div role="rowgroup" class="head">
            <div role="row" class="row" aria-rowindex={1}>
              {columns.map((one) => (
                <span role="columnheader" key={one.key} class={one.isNumber ? 'number' : ''}>
                  {one.title}
                </span>
              ))}
            </div>
          </div>
          <div ref={body} role="rowgroup" class="body" />
        </div>
        {opened.value && (
          <Details event={opened.value} filterBy={narrow} close={() => (opened.value = undefined)} />
        )}
      </div>
    </section>
  );
}

// What the column's field holds, which may be more than what the column shows.
function fieldValue(event: BindcastEvent, column: Column): unknown {
  const field = column.field!(event);
  return field.startsWith('data.') ? event.data[field.slice(5)] : event[field];
}

function ColumnChoice({ columns, choose }: { columns: string[]; choose: (keys: string[]) => void }) {
  return (
    <details class="choice">
      <summary>Columns</summary>
      <fieldset>
        <legend class="unseen">Columns</legend>
        {COLUMNS.map((one) => (
          <label key={one.key}>
            <input
              type="checkbox"
              checked={columns.includes(one.key)}
              onChange={() =>
                choose(columns.includes(one.key) ? columns.filter((key) => key !== one.key) : [...columns, one.key])
              }
            />
            {one.title}
          </label>
        ))}
      </fieldset>
    </details>
  );
}
