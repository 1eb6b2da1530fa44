import { useSignal } from '@preact/signals';
import { formatCount, formatValue } from '../../format.ts';
import { list, number, type Values } from '../../model.ts';
import { Moment } from '../../parts.tsx';

/** Every option as it is in force, by section: searched, and those that differ from the default marked. */
export function Configuration({ of }: { of: Values }) {
  const search = useSignal('');
  const onlyDiffering = useSignal(false);
  const options = list(of['options']);
  const differing = options.filter((one) => one['differs'] === true).length;
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const sections = new Map<string, Values[]>();
  for (const one of options) {
    const text = [one['path'], one['value'], one['doc']].map(formatValue).join(' ').toLowerCase();
    if ((onlyDiffering.value && one['differs'] !== true) || !words.every((word) => text.includes(word))) continue;
    const section = formatValue(one['path']).split(/[.[]/, 1)[0]!;
    sections.set(section, [...(sections.get(section) ?? []), one]);
  }
  const found = [...sections.values()].flat().length;
  return (
    <section class="card" aria-label="Configuration">
      <h2>Configuration</h2>
      <p>
        {of['file'] === undefined ? (
          'No file is named in named.conf, so every option has its default. '
        ) : (
          <>
            Read from {formatValue(of['file'])} at <Moment at={formatValue(of['read_at'])} />.{' '}
          </>
        )}
        {formatCount(differing)} of {formatCount(options.length)} values differ from the default. What is changed in the file
        is in force after <code>rndc reconfig</code>.
        {number(of['left_out']) > 0 && ` ${formatCount(number(of['left_out']))} more values of entries are not shown.`}
      </p>
      <div class="search" role="search">
        <label>
          Search options
          <input type="search" value={search.value} onInput={(event) => (search.value = event.currentTarget.value)} spellcheck={false} />
        </label>
        <button type="button" aria-pressed={onlyDiffering.value} onClick={() => (onlyDiffering.value = !onlyDiffering.value)}>
          Only what differs from the default
        </button>
        <span role="status">{formatCount(found)} shown</span>
      </div>
      <div class="wide" role="region" aria-label="Options" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Option</th>
              <th scope="col">Value</th>
              <th scope="col">Default</th>
            </tr>
          </thead>
          {[...sections].map(([section, some]) => (
            <tbody key={section}>
              <tr>
                <th scope="rowgroup" colSpan={3}>
                  <strong>{section}</strong>
                </th>
              </tr>
              {some.map((one) => (
                <tr key={formatValue(one['path'])}>
                  <td>
                    {formatValue(one['path'])}
                    <br />
                    <small class="faint">
                      {formatValue(one['doc'])} ({formatValue(one['accepts'])})
                    </small>
                  </td>
                  <td>
                    {one['differs'] === true ? <strong class="warn">{formatValue(one['value'])}</strong> : formatValue(one['value'])}
                  </td>
                  <td class="faint">{one['default'] === undefined ? 'none' : formatValue(one['default'])}</td>
                </tr>
              ))}
            </tbody>
          ))}
        </table>
        {found === 0 && <p class="faint">No option matches.</p>}
      </div>
    </section>
  );
}
