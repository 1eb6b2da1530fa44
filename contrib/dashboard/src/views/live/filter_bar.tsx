import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { FilterFault } from './stream.ts';

/** The filter as text; what the server finds wrong with it is shown below the column. */
export function FilterBar({
  filter,
  fault,
  apply,
}: {
  filter: string;
  fault: FilterFault | undefined;
  apply: (expression: string) => void;
}) {
  const text = useSignal(filter);
  useEffect(() => {
    text.value = filter;
  }, [filter]);
  const submit = (event: Event) => {
    event.preventDefault();
    apply(text.value.trim());
  };
  return (
    <form class="filter" role="search" onSubmit={submit}>
      <input
        type="text"
        aria-label="Filter"
        placeholder='Filter: qname under "example.com" and rcode != "NOERROR"'
        spellcheck={false}
        autocomplete="off"
        value={text.value}
        aria-invalid={fault !== undefined}
        aria-describedby="filter-fault"
        onInput={(event) => (text.value = event.currentTarget.value)}
      />
      <button type="submit">Filter</button>
      {filter !== '' && (
        <button type="button" onClick={() => apply('')}>
          All
        </button>
      )}
      <pre id="filter-fault" role="alert" class="fault">
        {fault && (fault.column === undefined ? fault.message : `${' '.repeat(fault.column - 1)}^ ${fault.message}`)}
      </pre>
    </form>
  );
}
