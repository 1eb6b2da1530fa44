import { backoffMs } from './backoff.ts';
import { contentOf, type Content } from './frames.ts';
import type { BindcastEvent, Gap, Preferences, ServerMessage, Subscription, Welcome } from './messages.ts';
import { Position } from './position.ts';

const PATIENCE_MS = 10_000; // with a connection that is being made, and with an answer
const STANDS_MS = 5_000; // a connection that lasted so long was no failed attempt
const LOOK_MS = 15_000; // how often it is looked whether anything came
const SILENT_LOOKS = 3; // at which the server is asked whether it is there
const MOST_WAITING = 32 * 2 ** 20; // bytes of frames that are not decoded yet

/** Close codes that another attempt would only get again. */
const POLICY_VIOLATION = 1008, BAD_TOKEN = 4401, NOT_PERMITTED = 4403, NO_AUTHENTICATION = 4408, REPLACED = 4409;

export type State =
  /** Until the server has let it in, and knows its subscriptions. */
  | { name: 'connecting' }
  /** All that was subscribed to is so again, and what was missed comes first. */
  | { name: 'live'; welcome: Welcome }
  /** The connection was lost; the next attempt is made at this time (as Date.now()). */
  | { name: 'waiting'; until: number; why: string }
  /** The server wants a login or another token: connect() tries again. */
  | { name: 'unauthenticated'; why: string }
  /** Closed by close(), or by the server for good: connect() tries again. */
  | { name: 'ended'; why: string };

export interface ClientOptions {
  /** ws://host:port/ws or wss://… */
  url: string;
  /** Of any kind, asked for at each connection; '': a cookie of the page's, or the server lets everybody in. */
  token?: string | (() => string);
  preferences?: Preferences;
  /** In order, each once; of one message together. */
  onEvents?(events: readonly BindcastEvent[]): void;
  /** Events were lost between those of the last onEvents and those of the next. */
  onGap?(gap: Gap): void;
  /** All other messages: acknowledged, broadcast, session_expired, errors that answer nothing, … */
  onMessage?(message: ServerMessage): void;
  onState?(state: State): void;
  /** Another implementation of WebSocket's interface than the one that is there. */
  WebSocket?: new (url: string, protocols: string[]) => WebSocket;
}

/** The server's refusal of a request. */
export class RequestError extends Error {
  readonly code: string;
  readonly details: Record<string, unknown>;

  constructor(data: Record<string, unknown>) {
    super(String(data['message'] ?? 'refused'));
    this.name = 'RequestError';
    this.code = String(data['code'] ?? '');
    this.details = (data['details'] ?? {}) as Record<string, unknown>;
  }
}

/** The connection ended before the answer came. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost';
}

interface Pending {
  resolve(message: ServerMessage): void;
  reject(fault: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

/** One connection to a Bindcast server, made again whenever it is lost, with the same subscriptions and where it was. */
export class Client {
  #options: ClientOptions;
  #state: State = { name: 'ended', why: 'not connected yet' };
  #socket: WebSocket | null = null;
  #decoding: Promise<void> = Promise.resolve(); // frames are decoded one after the other
  #backlog = 0;
  #waiting = 0; // bytes of the backlog
  #admitted = false; // has the server let this connection in?
  #subscriptions = new Map<string, Subscription>();
  #preferences: Preferences;
  #changes = new Map<string, Promise<unknown>>(); // by subscription: the last one that was asked for
  #position = new Position();
  #pending = new Map<string, Pending>();
  #nextId = 1;
  #attempt = 0;
  #token = ''; // of this connection
  #silentLooks = 0;
  #refusal = ''; // the last error that the server said of this connection as a whole
  // Of the state: patience, or the next attempt, or when a connection is none that failed. No clock is read: it may jump.
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #waitingForLive: (() => void)[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#preferences = { ...options.preferences };
  }

  get state(): State {
    return this.#state;
  }

  /** The id of the last event that came in order; '' before there was a connection. */
  get position(): string {
    return this.#position.at;
  }

  /** Messages that came and are not decoded yet: more than a few, and this side is behind. */
  get backlog(): number {
    return this.#backlog;
  }

  /** Connects, or does so at once where it would wait. */
  connect(): void {
    if (this.#state.name === 'connecting' || this.#state.name === 'live') return;
    this.#open();
  }

  close(): void {
    this.#end('closed');
  }

  /** As a new client: the next connection does not ask for what was missed, and subscribes to nothing by itself. */
  forget(): void {
    this.#position.forget();
    this.#subscriptions.clear();
  }

  /** Resolves when the state is `live`, be it after another connect(). */
  live(): Promise<void> {
    if (this.#state.name === 'live') return Promise.resolve();
    return new Promise((resolve) => this.#waitingForLive.push(resolve));
  }

  /**
   * Subscribes, now or when there is a connection, and again after each reconnect. Rejects with a RequestError: then a
   * subscription of that name is as it was.
   */
  subscribe(subscription: Subscription): Promise<ServerMessage> {
    return this.#inTurn(subscription.name, async () => {
      for (;;) {
        await this.live();
        try {
          const answer = await this.request('subscribe', { ...subscription });
          this.#subscriptions.set(subscription.name, subscription);
          return answer;
        } catch (fault) {
          if (!(fault instanceof ConnectionLost)) throw fault;
        }
      }
    });
  }

  /** After a subscribe() of that name that still waits. */
  unsubscribe(name: string): Promise<void> {
    return this.#inTurn(name, async () => {
      if (this.#subscriptions.delete(name)) await this.#tellIfConnected('unsubscribe', { name });
    });
  }

  /** Rejects with a RequestError: then they are as they were. */
  async setPreferences(preferences: Preferences): Promise<void> {
    const before = this.#preferences;
    const now = (this.#preferences = { ...before, ...preferences });
    try {
      await this.#tellIfConnected('set_preferences', { ...preferences });
    } catch (refusal) {
      if (this.#preferences === now) this.#preferences = before;
      throw refusal;
    }
  }

  /** Ends alerts, by the ids of their events: at most 32. */
  acknowledge(ids: string[], note = ''): Promise<ServerMessage> {
    return this.request('acknowledge', note === '' ? { ids } : { ids, note });
  }

  /** Sends a request; its answer. Rejects with RequestError where the server refuses, else with ConnectionLost. */
  request(type: string, data: Record<string, unknown> = {}): Promise<ServerMessage> {
    return new Promise((resolve, reject) => {
      if (!this.#admitted) return reject(new ConnectionLost('not connected'));
      const id = `c${this.#nextId++}`;
      const timer = setTimeout(() => this.#lost('no answer in time'), PATIENCE_MS);
      this.#pending.set(id, { resolve, reject, timer });
      this.#send({ type, id, data });
    });
  }

  // What is asked of one subscription is done in the order in which it was asked for.
  #inTurn<Result>(name: string, act: () => Promise<Result>): Promise<Result> {
    const done = (this.#changes.get(name) ?? Promise.resolve()).then(act, act);
    const forget = () => {
      if (this.#changes.get(name) === done) this.#changes.delete(name);
    };
    this.#changes.set(name, done);
    done.then(forget, forget);
    return done;
  }

  // What each new connection is told anyway.
  async #tellIfConnected(type: string, data: Record<string, unknown>): Promise<void> {
    try {
      await this.request(type, data);
    } catch (fault) {
      if (!(fault instanceof ConnectionLost)) throw fault;
    }
  }

  // On a socket that is being closed this does nothing, and the close is told.
  #send(message: object): void {
    this.#socket?.send(JSON.stringify(message));
  }

  #settle(id: string): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    clearTimeout(pending.timer);
    this.#pending.delete(id);
    return pending;
  }

  #enter(state: State): void {
    this.#state = state;
    this.#program(() => this.#options.onState?.(state));
    if (this.#state.name === 'live') for (const resolve of this.#waitingForLive.splice(0)) resolve();
  }

  // A fault of the program's own is none of the connection's.
  #program(act: () => void): void {
    try {
      act();
    } catch (fault) {
      if (typeof reportError === 'function') reportError(fault);
      else console.error(fault);
    }
  }

  #open(): void {
    this.#drop();
    this.#refusal = '';
    const Socket = this.#options.WebSocket ?? WebSocket;
    const compressed = typeof DecompressionStream === 'function';
    const token = this.#options.token;
    this.#token = (typeof token === 'function' ? token() : token) ?? '';
    const url = new URL(this.#options.url);
    // Somebody else may have logged in by this browser.
    if (this.#token !== '') url.searchParams.set('cookie', 'no');
    const socket = new Socket(url.href, [compressed ? 'bindcast.v1.deflate' : 'bindcast.v1.json']);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      // Where no token is said, and one is wanted, the answer to a ping is an error, and no silence.
      this.#send(this.#token === '' ? { type: 'ping' } : { type: 'authenticate', data: { token: this.#token } });
    };
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (this.#socket !== socket) return;
      this.#silentLooks = 0;
      this.#inOrder(socket, typeof data === 'string' ? data.length : data.byteLength, async () => {
        const content = await contentOf(data);
        if (this.#socket === socket) this.#take(content);
      });
      if (this.#waiting > MOST_WAITING) this.#lost('more comes than this program takes');
    };
    socket.onclose = ({ code, reason }) => this.#inOrder(socket, 0, () => this.#closed(code, reason));
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost('no answer in time'), PATIENCE_MS);
    this.#enter({ name: 'connecting' });
  }

  // After all frames that came before.
  #inOrder(socket: WebSocket, bytes: number, act: () => void | Promise<void>): void {
    ++this.#backlog;
    this.#waiting += bytes;
    this.#decoding = this.#decoding
      .then(() => (this.#socket === socket ? act() : undefined))
      .catch((fault: unknown) => {
        if (this.#socket === socket) this.#lost(`a message cannot be read: ${String(fault)}`);
      })
      .finally(() => {
        --this.#backlog;
        this.#waiting -= bytes;
      });
  }

  #take({ events, gap, welcome, other }: Content): void {
    if (events !== undefined) {
      const news = events.filter((event) => this.#position.isNews(event));
      if (news.length > 0) this.#program(() => this.#options.onEvents?.(news));
    } else if (gap !== undefined) {
      this.#program(() => this.#options.onGap?.(gap));
    } else if (welcome !== undefined) {
      this.#welcome(welcome);
    } else if (other !== undefined) {
      this.#other(other);
    }
  }

  #other(message: ServerMessage): void {
    const data = message.data ?? {};
    const pending = message.reply_to === undefined ? undefined : this.#settle(String(message.reply_to));
    if (pending !== undefined) {
      if (message.type === 'error') pending.reject(new RequestError(data));
      else pending.resolve(message);
    } else if (message.type === 'error' && this.#state.name === 'connecting') {
      this.#refusal = String(data['message'] ?? '');
      // It may be about a cookie whose session is over: a token is judged by itself, and a bad one closes.
      if (data['code'] === 'AUTH_FAILED' && this.#token === '') this.#unauthenticated(this.#refusal);
    } else {
      if (message.type === 'session_expired') this.#refusal = `the session has ended: ${String(data['reason'])}`;
      if (message.type !== 'pong') this.#program(() => this.#options.onMessage?.(message));
    }
  }

  #welcome(welcome: Welcome): void {
    if (this.#admitted) throw new Error('it was welcome already');
    this.#admitted = true;
    this.#refusal = '';
    clearTimeout(this.#timer);
    const since = this.#subscriptions.size > 0 ? this.#position.at : '';
    if (since === '') this.#position.forget();
    this.#position.connected(welcome.epoch, welcome.offset);
    this.#silentLooks = 0;
    this.#watch = setInterval(() => this.#watchOver(), LOOK_MS);
    const asked: Promise<void>[] = [];
    if (Object.keys(this.#preferences).length > 0) asked.push(this.#again('set_preferences', { ...this.#preferences }));
    for (const subscription of this.#subscriptions.values()) {
      const forget = (fault?: RequestError) => fault && this.#subscriptions.delete(subscription.name);
      asked.push(this.#again('subscribe', { ...subscription }, forget));
    }
    if (since !== '') {
      this.#position.resuming();
      const resumed = (fault?: RequestError) => {
        this.#position.resumed();
        if (fault) this.#program(() => this.#options.onGap?.({ reason: 'unknown', count: 0 }));
      };
      asked.push(this.#again('resume', { since }, resumed));
    }
    const socket = this.#socket;
    void Promise.all(asked).then(() => {
      if (this.#socket !== socket) return;
      this.#timer = setTimeout(() => (this.#attempt = 0), STANDS_MS);
      this.#enter({ name: 'live', welcome });
    });
  }

  // What is asked of every new connection; a refusal is a message to whom it concerns. Never rejects.
  async #again(type: string, data: Record<string, unknown>, then: (fault?: RequestError) => void = () => {}) {
    try {
      const answer = await this.request(type, data);
      then();
      if (type === 'resume') this.#program(() => this.#options.onMessage?.(answer));
    } catch (fault) {
      if (!(fault instanceof RequestError)) return;
      then(fault);
      const data = { code: fault.code, message: fault.message, request: type };
      this.#program(() => this.#options.onMessage?.({ type: 'error', data }));
    }
  }

  #watchOver(): void {
    if (++this.#silentLooks >= SILENT_LOOKS) this.request('ping').catch(() => {});
  }

  #closed(code: number, reason: string): void {
    const why = this.#refusal || reason || 'the connection was cut';
    if (code === BAD_TOKEN || code === NO_AUTHENTICATION) this.#unauthenticated(why);
    else if (code === POLICY_VIOLATION || code === NOT_PERMITTED || code === REPLACED) this.#end(why);
    else this.#lost(why);
  }

  #unauthenticated(why: string): void {
    this.#drop();
    this.#enter({ name: 'unauthenticated', why });
  }

  #end(why: string): void {
    this.#drop();
    this.#enter({ name: 'ended', why });
  }

  #lost(why: string): void {
    this.#drop();
    const wait = backoffMs(++this.#attempt, Math.random());
    this.#timer = setTimeout(() => this.#open(), wait);
    this.#enter({ name: 'waiting', until: Date.now() + wait, why });
  }

  // Nothing of the connection is heard any more, and no timer is left.
  #drop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    const socket = this.#socket;
    this.#socket = null;
    this.#admitted = false;
    socket?.close();
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(new ConnectionLost('the connection was lost'));
  }
}
