// Who is logged in, and the connection that all views but Live share.
import { Client, type BindcastEvent, type ClientOptions, type Gap, type ServerMessage, type State,
  type Welcome } from '@bindcast/client';
import { batch, computed, signal } from '@preact/signals';

export const state = signal<State>({ name: 'connecting' });
/** What the server or this page has to say to the user, the newest last. */
export const notices = signal<{ id: number; text: string }[]>([]);

/** The last one of this session, which outlives a connection that is cut. */
export const welcome = signal<Welcome | undefined>(undefined);
export const loggedIn = computed(() => welcome.value !== undefined);

/** What he may not do is not tried: admins are told of each refusal. */
export const mayWatch = computed(() => welcome.value?.may.includes('watch') ?? false);
export const mayAcknowledge = computed(() => welcome.value?.may.includes('acknowledge') ?? false);
export const mayAdminister = computed(() => welcome.value?.may.includes('administer') ?? false);

// The token that was typed in lives as long as the tab. A login is a cookie, which no script can read; that there is one
// is all that is kept of it.
const TOKEN = 'bindcast.token', LOGIN = 'bindcast.login';

// '': the cookie is what lets in.
function token(): string {
  return sessionStorage.getItem(TOKEN) ?? '';
}

type EventsListener = (events: readonly BindcastEvent[]) => void;
const eventsListeners = new Set<EventsListener>();
const gapListeners = new Set<(gap: Gap) => void>();
const messageListeners = new Set<(message: ServerMessage) => void>();

function webSocketUrl(): string {
  const url = new URL('ws', location.href.split('#')[0]);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = '';
  return url.href;
}

/** Another connection of the user, whoever it is when it connects. */
export function newClient(options: Omit<ClientOptions, 'url' | 'token'>): Client {
  return new Client({ url: webSocketUrl(), token, ...options });
}

export const client = newClient({
  preferences: { max_batch_size: 500, batch_timeout_ms: 250 },
  onEvents: (events) => eventsListeners.forEach((listener) => listener(events)),
  onGap: (gap) => gapListeners.forEach((listener) => listener(gap)),
  onMessage: (message) => {
    if (message.type === 'broadcast') notify(`${String(message.data?.['from'])}: ${String(message.data?.['message'])}`);
    if (message.type === 'error') notify(String(message.data?.['message']));
    messageListeners.forEach((listener) => listener(message));
  },
  onState: (now) => {
    if (now.name === 'unauthenticated') {
      // Who has not tried anything yet has no fault to read.
      const tried = welcome.peek() !== undefined || token() !== '' || localStorage.getItem(LOGIN) !== null;
      return sessionEnds(tried ? now.why : '');
    }
    batch(() => {
      state.value = now;
      if (now.name === 'live') welcome.value = now.welcome;
    });
    if (now.name === 'live' && token() === '' && localStorage.getItem(LOGIN) !== null) void renew();
  },
});

addEventListener('online', () => {
  if (state.peek().name === 'waiting') client.connect();
});

// Nothing of it stays on the page: model.ts forgets what it knows, and the views are not there without a session.
function sessionEnds(why: string): void {
  clearTimeout(renewal);
  client.forget();
  if (token() === '') localStorage.removeItem(LOGIN);
  else sessionStorage.removeItem(TOKEN);
  batch(() => {
    welcome.value = undefined;
    notices.value = [];
    state.value = { name: 'unauthenticated', why };
  });
}

function listen<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Each returns what ends it. */
export const onEvents = (listener: EventsListener) => listen(eventsListeners, listener);
export const onGap = (listener: (gap: Gap) => void) => listen(gapListeners, listener);
export const onMessage = (listener: (message: ServerMessage) => void) => listen(messageListeners, listener);

let lastNotice = 0;
/** Says it once, until it is dismissed. */
export function notify(text: string): void {
  if (notices.peek().some((notice) => notice.text === text)) return;
  notices.value = [...notices.value.slice(-4), { id: ++lastNotice, text }];
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** An HTTP request as this user; rejects with what the server says is wrong, whose cause is the status. */
export async function api(path: string, options: RequestInit = {}): Promise<Record<string, unknown>> {
  const headers = new Headers(options.headers);
  if (token() !== '') headers.set('authorization', `Bearer ${token()}`);
  const answer = await fetch(path, { ...options, headers, cache: 'no-store' });
  const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (!answer.ok) throw new Error(String(body['error'] ?? `HTTP ${answer.status}`), { cause: answer.status });
  return body;
}

export async function logIn(user: string, password: string): Promise<void> {
  sessionStorage.removeItem(TOKEN);
  const answer = await api('api/v1/login', { method: 'POST', body: JSON.stringify({ user, password }) });
  localStorage.setItem(LOGIN, '1');
  renewBefore(answer['expires_at']);
  client.connect();
}

export function logInByToken(typed: string): void {
  sessionStorage.setItem(TOKEN, typed);
  client.connect();
}

export async function logOut(): Promise<void> {
  client.close();
  let said = 'Logged out.';
  if (token() === '')
    await api('api/v1/logout', { method: 'POST' }).catch((fault: Error) => {
      // Only the server can end a login, whose cookie no script can reach. It may have ended before.
      if (fault.cause !== 401) said = `The server was not told, so the login lasts until it expires: ${fault.message}`;
    });
  sessionEnds(said);
}

// A session does not become longer by being used: a page that is open asks for it, when half of its time is over. An
// attempt that fails is made again in half of what is left; when nothing is left, the server ends the connection.
let renewal: ReturnType<typeof setTimeout> | undefined;
let expiresAt = 0; // as Date.now()

function renewBefore(end: unknown): void {
  clearTimeout(renewal);
  expiresAt = Date.parse(String(end));
  renewInTime();
}

function renewInTime(): void {
  const left = expiresAt - Date.now();
  if (left > 0) renewal = setTimeout(() => void renew(), Math.min(Math.max(left / 2, 1000), 2 ** 31 - 1));
}

async function renew(): Promise<void> {
  const answer = await api('api/v1/renew', { method: 'POST' }).catch(() => undefined);
  if (!loggedIn.peek()) return; // it ended meanwhile
  if (answer === undefined) renewInTime();
  else renewBefore(answer['expires_at']);
}
