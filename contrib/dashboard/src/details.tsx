import type { BindcastEvent } from '@bindcast/client';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { formatValue } from './format.ts';

/** Every value of the event with its field, to read and to filter by. */
export function Details({
  event,
  filterBy,
  close,
}: {
  event: BindcastEvent;
  filterBy?: (field: string, value: unknown, operator: '=' | '!=') => void;
  close: () => void;
}) {
  const closing = useRef<HTMLButtonElement>(null);
  // The keyboard is here from the moment when they are shown, and then where it was.
  useLayoutEffect(() => {
    const before = document.activeElement;
    closing.current?.focus();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return (
    <aside class="details" aria-label="Details of the event" onKeyDown={(key) => key.key === 'Escape' && close()}>
      <header>
        <h2>{event.type}</h2>
        <button ref={closing} type="button" onClick={close} aria-label="Close the details">
          ×
        </button>
      </header>
      <dl>
        {leaves(event).map(([field, value]) => (
          <div key={field}>
            <dt>{field}</dt>
            <dd>
              {formatValue(value)}
              {filterBy !== undefined && !field.includes('[') && (
                <span class="only">
                  <button type="button" onClick={() => filterBy(field, value, '=')} aria-label={`Only this ${field}`}>
                    =
                  </button>
                  <button type="button" onClick={() => filterBy(field, value, '!=')} aria-label={`Without this ${field}`}>
                    ≠
                  </button>
                </span>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </aside>
  );
}

// Each value that is no object with its path, as the filter language has it; members of lists with their index.
function leaves(value: object, path = ''): [string, unknown][] {
  return Object.entries(value).flatMap(([key, member]: [string, unknown]) => {
    const at = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    if (typeof member === 'object' && member !== null) return leaves(member, at);
    return [[at, member] as [string, unknown]];
  });
}
