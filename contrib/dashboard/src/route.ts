// The address is #/view?name=value…, so that what is looked at can be shared.
import { signal } from '@preact/signals';

export interface Route {
  view: string;
  arguments: URLSearchParams;
}

function read(): Route {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  return { view: path, arguments: new URLSearchParams(query) };
}

export const route = signal(read());
addEventListener('hashchange', () => (route.value = read()));

export function href(view: string, given: Record<string, string> = {}): string {
  const query = new URLSearchParams(Object.entries(given).filter(([, value]) => value !== '')).toString();
  return `#/${view}${query === '' ? '' : `?${query}`}`;
}

/** The same view with other arguments, without a step of its history. */
export function rewrite(view: string, given: Record<string, string>): void {
  history.replaceState(null, '', href(view, given));
  route.value = read();
}
