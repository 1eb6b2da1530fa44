import { CompletedInput } from './completed_input.tsx';
import { completeFilter } from './completion.ts';
import type { Fault } from './fault.ts';

/** A filter's input, alone or in a larger form, where it is called `filter`. */
export function FilterInput({ filter, fault }: { filter: string; fault: Fault | undefined }) {
  return (
    <CompletedInput
      name="filter"
      label="Filter"
      value={filter}
      placeholder='qname under "example.com" and rcode != "NOERROR"'
      complete={completeFilter}
      fault={fault}
    />
  );
}

/** A filter by itself. */
export function FilterBar({
  filter,
  fault,
  apply,
}: {
  filter: string;
  fault: Fault | undefined;
  apply: (expression: string) => void;
}) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    apply(String(new FormData(event.currentTarget as HTMLFormElement).get('filter')).trim());
  };
  return (
    <form class="filter" role="search" onSubmit={submit}>
      <FilterInput filter={filter} fault={fault} />
      <button type="submit">Filter</button>
      {filter !== '' && (
        <button type="button" onClick={() => apply('')}>
          All
        </button>
      )}
    </form>
  );
}
