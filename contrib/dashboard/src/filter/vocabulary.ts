// The server's own words for events, from the one table that it is built of.
import table from '../../../../events/types.def';

export const EVENT_TYPES: string[] = table.map(({ type }) => type);
export const CATEGORIES: string[] = [...new Set(table.map(({ category }) => category))];
