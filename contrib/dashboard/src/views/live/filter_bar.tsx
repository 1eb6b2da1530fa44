import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { complete, type Completion } from './completion.ts';
import type { FilterFault } from './stream.ts';

const NONE: Completion = { from: 0, to: 0, options: [] };

/** The filter as text, completed as it is typed; what the server finds wrong with it is shown below the column. */
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
  const offered = useSignal(NONE);
  const chosen = useSignal(-1);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    text.value = filter;
  }, [filter]);
  const offer = (completion: Completion) => {
    offered.value = completion;
    chosen.value = -1;
  };
  const submit = (event: Event) => {
    event.preventDefault();
    offer(NONE);
    apply(text.value.trim());
  };
  const take = (option: string) => {
    const { from, to } = offered.value;
    const more = option.endsWith('.') ? option : `${option} `;
    const element = input.current!;
    text.value = element.value = element.value.slice(0, from) + more + element.value.slice(to);
    element.focus();
    element.setSelectionRange(from + more.length, from + more.length);
    offer(complete(text.value, from + more.length));
  };
  const pressed = (event: KeyboardEvent) => {
    const options = offered.value.options;
    if (options.length === 0) return;
    if (event.key === 'ArrowDown') chosen.value = (chosen.value + 1) % options.length;
    else if (event.key === 'ArrowUp') chosen.value = ((chosen.value + 1 + options.length) % (options.length + 1)) - 1;
    else if (event.key === 'Escape') offer(NONE);
    else if ((event.key === 'Enter' || event.key === 'Tab') && chosen.value >= 0) take(options[chosen.value]!);
    else return;
    event.preventDefault();
  };
  const isOpen = offered.value.options.length > 0;
  return (
    <form class="filter" role="search" onSubmit={submit}>
      <div class="completed">
        <input
          ref={input}
          type="text"
          role="combobox"
          aria-label="Filter"
          aria-autocomplete="list"
          aria-expanded={isOpen}
          aria-controls="filter-options"
          aria-activedescendant={chosen.value < 0 ? undefined : `filter-option-${chosen.value}`}
          placeholder='qname under "example.com" and rcode != "NOERROR"'
          spellcheck={false}
          autocomplete="off"
          value={text.value}
          aria-invalid={fault !== undefined}
          aria-describedby="filter-fault"
          onInput={(event) => {
            text.value = event.currentTarget.value;
            offer(complete(text.value, event.currentTarget.selectionStart ?? text.value.length));
          }}
          onKeyDown={pressed}
          onBlur={() => offer(NONE)}
        />
        <ul id="filter-options" role="listbox" aria-label="Completions" hidden={!isOpen}>
          {offered.value.options.map((option, at) => (
            <li
              key={option}
              id={`filter-option-${at}`}
              role="option"
              aria-selected={at === chosen.value}
              onMouseDown={(event) => {
                event.preventDefault(); // the input keeps the focus
                take(option);
              }}
            >
              {option}
            </li>
          ))}
        </ul>
      </div>
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
