/** A term of the filter language. */
export function term(field: string, value: unknown, operator = '='): string {
  if (typeof value === 'number' || typeof value === 'boolean') return `${field} ${operator} ${value}`;
  const text = String(value).replace(/["\\]/g, (special) => `\\${special}`);
  return `${field} ${operator} "${text}"`;
}

/** The filter with one more term. */
export function narrowed(filter: string, more: string): string {
  const before = filter.trim();
  if (before === '') return more;
  return /\bor\b/.test(before) ? `(${before}) and ${more}` : `${before} and ${more}`;
}
