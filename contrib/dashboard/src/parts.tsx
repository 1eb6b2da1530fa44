// Small pieces that several views are made of.
import type { ComponentChildren } from 'preact';
import { Spark } from './chart.tsx';
import { formatCount, formatMoment } from './format.ts';
import type { Series } from './model.ts';

export function Figure({
  title,
  children,
  note,
  course,
}: {
  title: string;
  children: ComponentChildren;
  note?: string;
  course?: Series;
}) {
  return (
    <div class="card figure">
      <dt>{title}</dt>
      <dd>
        {children}
        {note && <small class="faint">{note}</small>}
        {course && course.times.length > 1 && <Spark series={course} />}
      </dd>
    </div>
  );
}

/** A time as the page shows all of them; in UTC where the pointer rests on it. */
export function Moment({ at }: { at: string }) {
  return (
    <time class="moment" dateTime={at} title={at}>
      {formatMoment(at)}
    </time>
  );
}

/** That a view does not show all that there is. */
export function More({ than, of, what }: { than: number; of: number; what: string }) {
  return of > than ? (
    <p class="faint">
      and {formatCount(of - than)} {what}
    </p>
  ) : null;
}

/** A table of little: its rows are all there. */
export function Table({
  caption,
  head,
  rows,
  numbers = [],
  empty,
}: {
  caption: string;
  head: string[];
  rows: ComponentChildren[][];
  /** Of the columns, from 0, those whose numbers stand one below the other. */
  numbers?: number[];
  empty: string;
}) {
  return (
    <div class="card wide" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {head.map((title, column) => (
              <th scope="col" key={title} class={numbers.includes(column) ? 'number' : ''}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cells, at) => (
            <tr key={at}>
              {cells.map((cell, column) => (
                <td key={column} class={numbers.includes(column) ? 'number' : ''}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
          {rows.length === 0 && (
            <tr>
              <td colSpan={head.length} class="faint">
                {empty}
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

const GOOD = ['healthy', 'up', 'ok', 'completed', 'delivered'];
const BAD = ['unhealthy', 'down', 'failing', 'failed', 'error', 'critical', 'urgent'];

/** A state in words, with a colour and a sign. */
export function StateWord({ state }: { state: string }) {
  const kind = GOOD.includes(state) ? 'good' : BAD.includes(state) ? 'bad' : state === 'running' ? 'busy' : 'warn';
  return <span class={`word ${kind}`}>{state}</span>;
}
