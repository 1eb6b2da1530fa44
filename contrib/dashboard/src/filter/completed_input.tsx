import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Complete, Completion } from './completion.ts';
import type { Fault } from './fault.ts';

const NONE: Completion = { from: 0, to: 0, options: [] };

/**
 * A text of a form, completed as it is typed; what is wrong with it is shown below the column. It is what `value` says
 * whenever that changes, and the user's in between.
 */
export function CompletedInput({
  name,
  label,
  value,
  placeholder,
  complete,
  fault,
}: {
  name: string; // in the form
  label: string;
  value: string;
  placeholder: string;
  complete: Complete;
  fault?: Fault | undefined;
}) {
  const offered = useSignal(NONE);
  const chosen = useSignal(-1);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current!.value = value;
  }, [value]);
  const offer = (completion: Completion) => {
    offered.value = completion;
    chosen.value = -1;
  };
  const offerHere = () => {
    const { value: text, selectionStart } = input.current!;
    offer(complete(text, selectionStart ?? text.length));
  };
  const take = (option: string) => {
    const { from, to } = offered.value;
    const element = input.current!;
    element.value = element.value.slice(0, from) + option + element.value.slice(to);
    element.focus();
    element.setSelectionRange(from + option.length, from + option.length);
    offerHere();
  };
  const pressed = (event: KeyboardEvent) => {
    const options = offered.value.options;
    if (options.length === 0) {
      if (event.key !== 'ArrowDown') return;
      offerHere();
    } else if (event.key === 'ArrowDown') chosen.value = (chosen.value + 1) % options.length;
    else if (event.key === 'ArrowUp') chosen.value = ((chosen.value + 1 + options.length) % (options.length + 1)) - 1;
    else if (event.key === 'Escape') offer(NONE);
    else if ((event.key === 'Enter' || event.key === 'Tab') && chosen.value >= 0) take(options[chosen.value]!);
    else if (event.key === 'Enter') return offer(NONE); // and the form is sent
    else return;
    event.preventDefault();
  };
  const isOpen = offered.value.options.length > 0;
  const at = fault?.column;
  return (
    <div class="completed">
      <input
        ref={input}
        type="text"
        name={name}
        role="combobox"
        aria-label={label}
        aria-autocomplete="list"
        aria-expanded={isOpen}
        aria-controls={`${name}-options`}
        aria-activedescendant={chosen.value < 0 ? undefined : `${name}-option-${chosen.value}`}
        placeholder={placeholder}
        spellcheck={false}
        autocomplete="off"
        aria-invalid={fault !== undefined}
        aria-describedby={`${name}-fault`}
        onInput={(event) => (event.currentTarget.value === '' ? offer(NONE) : offerHere())}
        onKeyDown={pressed}
        onBlur={() => offer(NONE)}
      />
      <ul id={`${name}-options`} role="listbox" aria-label="Completions" hidden={!isOpen}>
        {offered.value.options.map((option, index) => (
          <li
            key={option}
            id={`${name}-option-${index}`}
            role="option"
            aria-selected={index === chosen.value}
            onMouseDown={(event) => {
              event.preventDefault(); // the input keeps the focus
              take(option);
            }}
          >
            {option.trim()}
          </li>
        ))}
      </ul>
      <pre id={`${name}-fault`} role="alert" class="fault">
        {fault && (at === undefined ? fault.message : `${' '.repeat(at - 1)}^ ${fault.message}`)}
      </pre>
    </div>
  );
}
