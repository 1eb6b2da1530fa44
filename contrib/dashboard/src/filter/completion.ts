// What may come next in a filter: fields, operators, and the values of those fields that have few. And in a list of names.
import { CATEGORIES, EVENT_TYPES } from './vocabulary.ts';

const FIELDS = ['qname', 'client', 'qtype', 'rcode', 'type', 'category', 'priority', 'severity', 'view', 'zone', 'name',
  'rtype', 'transport', 'latency_us', 'policy_zone', 'rule', 'action', 'feed_category', 'cause', 'user', 'count',
  'dropped', 'cached', 'recursive', 'flags', 'tsig_key', 'ecs', 'host', 'correlation_id', 'source_component', 'data.'];
const OPERATORS = ['=', '!=', '<', '<=', '>', '>=', 'in', 'not in', 'under', '~'];
const JOINS = ['and', 'or'];
const STARTS = [...FIELDS, 'not', 'has'];
const VALUES: Record<string, string[]> = {
  type: EVENT_TYPES,
  category: CATEGORIES,
  priority: ['low', 'normal', 'high', 'critical', 'urgent'],
  severity: ['debug', 'info', 'warning', 'error', 'critical'],
  rcode: ['NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED', 'FORMERR', 'NOTIMP'],
  qtype: ['A', 'AAAA', 'CNAME', 'HTTPS', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'SVCB', 'TXT'],
  transport: ['udp', 'tcp', 'tls', 'https'],
  action: ['nxdomain', 'nodata', 'drop', 'tcp-only', 'passthru', 'cname', 'local-data'],
  cause: ['startup', 'update', 'transfer', 'reload', 'addzone', 'delzone', 'config', 'signing', 'unknown'],
};
const MOST = 12;

export interface Completion {
  /** The part of the text that an option takes the place of. */
  from: number;
  to: number;
  options: string[];
}

export type Complete = (text: string, cursor: number) => Completion;

const TOKEN = /"(?:[^"\\]|\\.)*"?|[\w.]+|[<>!]=|[=<>~(),]/g;

/** What may stand in a filter where the cursor is, in the order in which it is likely. */
export function completeFilter(text: string, cursor: number): Completion {
  const tokens = [...text.slice(0, cursor).matchAll(TOKEN)];
  const last = tokens.at(-1);
  const typing = last !== undefined && last.index + last[0].length === cursor && !/^[=<>!~(),]|^".*"$/.test(last[0]);
  const word = typing ? last[0] : '';
  const before = (typing ? tokens.slice(0, -1) : tokens).map((token) => token[0]);
  const options = matching(following(before), word).map((one) => (one.endsWith('.') ? one : `${one} `));
  return { from: cursor - word.length, to: cursor, options };
}

/** What may stand in a list of these names, with commas between them. */
export function completeNames(names: string[]): Complete {
  return (text, cursor) => {
    const word = /[^,\s]*$/.exec(text.slice(0, cursor))![0];
    return { from: cursor - word.length, to: cursor, options: matching(names, word) };
  };
}

// Those that begin with the word, then those that have it elsewhere.
function matching(options: string[], word: string): string[] {
  const wanted = word.toLowerCase().replace('"', '');
  const place = (option: string) => option.toLowerCase().replace('"', '').indexOf(wanted);
  const fit = options.filter((option) => option !== word && place(option) >= 0);
  return [...fit.filter((option) => place(option) === 0), ...fit.filter((option) => place(option) > 0)].slice(0, MOST);
}

function following(before: string[]): string[] {
  const last = before.at(-1);
  if (last === undefined || ['(', 'and', 'or', 'not', 'has'].includes(last) && !isList(before)) return STARTS;
  if (isOperator(last) || isList(before)) {
    const field = before.findLast((token) => token in VALUES);
    return (field === undefined ? [] : VALUES[field]!).map((value) => `"${value}"`);
  }
  if (last.startsWith('"') || last === ')' || /^\d/.test(last)) return JOINS;
  return OPERATORS;
}

function isOperator(token: string): boolean {
  return OPERATORS.includes(token);
}

// Inside `field in (`?
function isList(before: string[]): boolean {
  const open = before.lastIndexOf('(');
  return open > before.lastIndexOf(')') && before[open - 1] === 'in' && ['(', ','].includes(before.at(-1)!);
}
