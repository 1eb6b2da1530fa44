// Small pieces that several views are made of.
import type { ComponentChildren } from 'preact';

export function Figure({ title, children, note }: { title: string; children: ComponentChildren; note?: string }) {
  return (
    <div class="card figure">
      <dt>{title}</dt>
      <dd>
        {children}
        {note && <small class="faint">{note}</small>}
      </dd>
    </div>
  );
}

/** A table of little: its rows are all there. */
export function Table({
  caption,
  head,
  rows,
  empty,
  whole = false,
}: {
  caption: string;
  head: string[];
  rows: ComponentChildren[][];
  empty: string;
  /** As wide as the page. */
  whole?: boolean;
}) {
  return (
    <div class={whole ? 'card wide whole' : 'card wide'} role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {head.map((title) => (
              <th scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cells, at) => (
            <tr key={at}>
              {cells.map((cell, column) => (
                <td key={column}>{cell}</td>
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

const GOOD = ['healthy', 'up', 'ok'], BAD = ['unhealthy', 'down', 'failing', 'failed', 'error', 'critical'];

/** A state in words, coloured. */
export function StateWord({ state }: { state: string }) {
  return <span class={GOOD.includes(state) ? 'good' : BAD.includes(state) ? 'bad' : 'warn'}>{state}</span>;
}
