import { href } from '../route.ts';
import { term } from './terms.ts';

/** A value that leads to the events which have it: to those that are stored, and to those that come. */
export function Lead({ field, value }: { field: string; value: string }) {
  // A network holds addresses, and a domain the names below it.
  const operator = field === 'client' && value.includes('/') ? 'in' : field === 'domain' ? 'under' : '=';
  const filter = term(field === 'domain' ? 'qname' : field, value, operator);
  return (
    <span class="lead">
      <a href={href('history', { filter })} title="In the history">
        {value}
      </a>{' '}
      <a class="small" href={href('live', { filter })} aria-label={`${value}, live`}>
        live
      </a>
    </span>
  );
}
