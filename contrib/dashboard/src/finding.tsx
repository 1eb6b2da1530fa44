// What a detector found (doc/detectors.md).
import { Lead } from './filter/lead.tsx';
import { formatCount, formatDuration, formatShare, formatValue } from './format.ts';
import { list, number, values, type Values } from './model.ts';
import { Moment } from './parts.tsx';

const SUBJECT = ['client', 'domain', 'qname', 'view', 'direction'];
const NO_VIEW = '_default'; // of a server without views
const SHARES = ['share', 'text_share', 'variation'];
const COUNTED = ['qtype', 'policy_zone']; // what lists count

/** `340 names in 1 min, 1.7 times the threshold of 200`. */
export function findingText(data: Values): string {
  return `${amount(number(data['value']))} ${formatValue(data['measure'])} in ${formatDuration(number(data['window_seconds']))}, `
    + `${number(data['score']).toFixed(1)} times the threshold of ${amount(number(data['threshold']))}`;
}

/** Whom it is about, and what it stands on. */
export function Evidence({ data }: { data: Values }) {
  return (
    <dl class="evidence">
      {SUBJECT.filter((name) => data[name] !== undefined && data[name] !== NO_VIEW).map((name) => (
        <Member key={name} name={name}>
          {name === 'direction' ? formatValue(data[name]) : <Lead field={name} value={formatValue(data[name])} />}
        </Member>
      ))}
      {Object.entries(values(data['evidence'])).map(([name, value]) => (
        <Member key={name} name={name}>
          <Value name={name} value={value} />
        </Member>
      ))}
    </dl>
  );
}

function Member({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name.replaceAll('_', ' ')}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Value({ name, value }: { name: string; value: unknown }) {
  if (name.endsWith('_seen')) return <Moment at={formatValue(value)} />;
  if (typeof value === 'number') return <>{SHARES.includes(name) ? formatShare(value) : amount(value)}</>;
  if (!Array.isArray(value)) return <>{formatValue(value)}</>;
  if (name === 'qnames') return <>{value.map((one) => <code key={String(one)} title={formatValue(one)}>{formatValue(one)}</code>)}</>;
  const counted = list(value).map((one) => {
    const what = COUNTED.find((member) => one[member] !== undefined);
    return what === undefined ? formatValue(one) : `${formatValue(one[what])} ${formatCount(number(one['count']))}`;
  });
  return <>{counted.join(', ')}</>;
}

function amount(value: number): string {
  return Number.isInteger(value) || value >= 100 ? formatCount(value) : value.toFixed(1);
}
