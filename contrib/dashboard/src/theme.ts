import { effect, signal } from '@preact/signals';

const KEY = 'bindcast.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

/** '' follows the system. */
export const theme = signal(localStorage.getItem(KEY) ?? '');

effect(() => {
  if (theme.value === '') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
  if (theme.value === '') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme.value);
});

export function toggleTheme(): void {
  const isDark = theme.value === '' ? dark.matches : theme.value === 'dark';
  theme.value = isDark ? 'light' : 'dark';
}
