import { useEffect, useRef } from 'preact/hooks';
import { Connection } from './connection.tsx';
import { formatMissing, timeZone } from './format.ts';
import { LogIn } from './log_in.tsx';
import { missing, openAlerts, type Missing } from './model.ts';
import { Moment } from './parts.tsx';
import { href, route } from './route.ts';
import { client, dismiss, logOut, mayWatch, notices, state, welcome } from './session.ts';
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
      <div class="card">
        <h1>Bindcast</h1>
        <Connection of={client} state={state.value} />{' '}
        {state.value.name !== 'connecting' && (
          <button type="button" onClick={() => void logOut()}>
            Log out
          </button>
        )}
      </div>
    </main>
  );
}

function Shell() {
  const view = VIEWS.find((one) => one.name === route.value.view) ?? VIEWS[0]!;
  useEffect(() => {
    const waiting = openAlerts.value > 0 ? `(${openAlerts.value}) ` : '';
    document.title = `${waiting}${view.title} – Bindcast`;
  }, [view, openAlerts.value]);
  // On a phone not all of the views' names are to be seen.
  const current = useRef<HTMLAnchorElement>(null);
  useEffect(() => current.current?.scrollIntoView({ block: 'nearest', inline: 'center' }), [view]);
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
            <a
              key={one.name}
              ref={one === view ? current : null}
              href={href(one.name)}
              aria-current={one === view ? 'page' : undefined}
              title={`Key ${index + 1}`}
            >
              {one.title}
              {one.badge !== undefined && one.badge.value > 0 && <span class="badge">{one.badge.value}</span>}
            </a>
          ))}
        </nav>
        <div class="tools">
          <Connection of={client} state={state.value} />
          <span class="faint" title="All times are those of the browser's time zone">
            Times: {timeZone()}
          </span>
          <button type="button" onClick={toggleTheme} aria-label="Light / dark" title="Light / dark">
            ◐
          </button>
          <button type="button" onClick={() => void logOut()}>
            Log out {welcome.value?.user}
          </button>
        </div>
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
      {missing.value && <Losses of={missing.value} />}
      <main id="content" tabIndex={-1}>
        <h1 class="unseen">{view.title}</h1>
        {mayWatch.value ? <view.View key={view.name} /> : <NothingToSee />}
      </main>
    </div>
  );
}

// Not read aloud: while losses go on, their count changes four times a second.
function Losses({ of: { count, last, at } }: { of: Missing }) {
  return (
    <section aria-label="Losses" class="notices">
      <p>
        {formatMissing(count)} from the views, the last time at <Moment at={at} /> ({last.reason.replaceAll('_', ' ')}). What is
        stored is read again.{' '}
        <button type="button" onClick={() => (missing.value = undefined)} aria-label="Dismiss">
          ×
        </button>
      </p>
    </section>
  );
}

// What is refused is told to admins, so nothing is tried.
function NothingToSee() {
  return (
    <section class="page">
      <p class="empty">There is nothing to see: none of your roles may watch ({welcome.value?.roles.join(', ')}).</p>
    </section>
  );
}

// The hash is the address of the view, so the link's own cannot be used.
function focusContent(event: Event): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}
