import { effect, signal, useSignal } from '@preact/signals';
import { loggedIn, logIn, logInByToken } from './session.ts';

// Who mistyped his token is asked for it again; the next one is asked as all are.
const byToken = signal(false);
effect(() => {
  if (loggedIn.value) byToken.value = false;
});

/** A user and his password, or a token of any kind. */
export function LogIn({ why }: { why: string }) {
  const fault = useSignal('');
  const busy = useSignal(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '');
    fault.value = '';
    if (byToken.value) return logInByToken(text('token').trim());
    busy.value = true;
    try {
      await logIn(text('user'), text('password'));
    } catch (refusal) {
      fault.value = (refusal as Error).message;
    } finally {
      busy.value = false;
    }
  };
  return (
    <main class="centre">
      <form class="card" onSubmit={submit}>
        <h1>Bindcast</h1>
        {byToken.value ? (
          <label>
            Token
            <input name="token" type="password" autocomplete="off" required autofocus />
          </label>
        ) : (
          <>
            <label>
              User
              <input name="user" autocomplete="username" required autofocus />
            </label>
            <label>
              Password
              <input name="password" type="password" autocomplete="current-password" required />
            </label>
          </>
        )}
        <p role="alert" class="fault">
          {fault.value || why}
        </p>
        <button type="submit" class="primary" disabled={busy.value}>
          Log in
        </button>
        <button type="button" class="plain" onClick={() => (byToken.value = !byToken.value)}>
          {byToken.value ? 'With a user and password' : 'With a token (bindcast.token)'}
        </button>
      </form>
    </main>
  );
}
