import { computed, effect, signal } from '@preact/signals';

const KEY = 'bindcast.theme';
const media = matchMedia('(prefers-color-scheme: dark)');
const system = signal(media.matches);
media.addEventListener('change', () => (system.value = media.matches));

/** '' follows the system. */
const chosen = signal(localStorage.getItem(KEY) ?? '');

export const isDark = computed(() => (chosen.value === '' ? system.value : chosen.value === 'dark'));

// style.css has both colours of everything; which one counts is the color-scheme.
effect(() => {
  if (chosen.value === '') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = chosen.value;
  if (chosen.value === '') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, chosen.value);
});

/** The other one; when that is the system's, it is followed again. */
export function toggleTheme(): void {
  const dark = !isDark.peek();
  chosen.value = dark === system.peek() ? '' : dark ? 'dark' : 'light';
}
