import { useEffect } from 'preact/hooks';
import { Connection } from './connection.tsx';
import { LogIn } from './log_in.tsx';
import { href, route } from './route.ts';
import { client, dismiss, logOut, notices, state, welcome } from './session.ts';
import { toggleTheme } from './theme.ts';
import { VIEWS } from './views/views.ts';

export function App() {
  if (state.value.name === 'unauthenticated') return <LogIn why={state.value.why} />;
  if (welcome.value === undefined) return <Waiting />;
  return <Shell />;
}

function Waiting() {
  return (
    <main class="centre">
      <Connection of={client} state={state.value} />
    </main>
  );
}

function Shell() {
  const view = VIEWS.find((one) => one.name === route.value.view) ?? VIEWS[0]!;
  useEffect(() => {
    document.title = `${view.title} – Bindcast`;
  }, [view]);
  useEffect(() => {
    const byKey = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      const number = Number(event.key);
      if (typing || event.ctrlKey || event.metaKey || event.altKey || !VIEWS[number - 1]) return;
      location.hash = href(VIEWS[number - 1]!.name);
    };
    addEventListener('keydown', byKey);
    return () => removeEventListener('keydown', byKey);
  }, []);
  return (
    <div class="shell">
      <header>
        <a class="skip" href="#content" onClick={focusContent}>
          To the content
        </a>
        <nav aria-label="Views">
          {VIEWS.map((one, index) => (
            <a href={href(one.name)} aria-current={one === view ? 'page' : undefined} title={`Key ${index + 1}`}>
              {one.title}
              {one.badge !== undefined && one.badge.value > 0 && <span class="badge">{one.badge.value}</span>}
            </a>
          ))}
        </nav>
        <Connection of={client} state={state.value} />
        <button type="button" onClick={toggleTheme}>
          Light / dark
        </button>
        <button type="button" onClick={() => void logOut()}>
          Log out {welcome.value?.user}
        </button>
      </header>
      <div aria-live="polite" class="notices">
        {notices.value.map(({ id, text }) => (
          <p key={id}>
            {text}{' '}
            <button type="button" onClick={() => dismiss(id)} aria-label="Dismiss">
              ×
            </button>
          </p>
        ))}
      </div>
      <main id="content" tabIndex={-1}>
        <h1 class="unseen">{view.title}</h1>
        <view.View key={view.name} />
      </main>
    </div>
  );
}

// The hash is the address of the view, so the link's own cannot be used.
function focusContent(event: Event): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}
