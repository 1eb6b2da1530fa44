import { backoffMs } from './backoff.ts';
import type { BindcastEvent, Gap, Preferences, ServerMessage, Subscription, Welcome } from './messages.ts';
import { Position } from './position.ts';

const PATIENCE_MS = 10_000; // with a connection that is being made, and with an answer
const STANDS_MS = 5_000; // a connection that lasted so long was no failed attempt
const SILENCE_MS = 45_000; // after which the server is asked whether it is there

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
  /** Of any kind; nothing: a cookie of the page's, or the server lets everybody in. */
  token?: string;
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
  #subscriptions = new Map<string, Subscription>();
  #preferences: Preferences;
  #position = new Position();
  #pending = new Map<string, Pending>();
  #nextId = 1;
  #attempt = 0;
  #liveSince = 0;
  #heardAt = 0;
  #refusal = ''; // the last error that the server said of this connection as a whole
  #timer: ReturnType<typeof setTimeout> | undefined; // of the state: patience, or the next attempt
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

  /** Connects, or does so at once where it would wait. With another token, if one is given; '' forgets the old one. */
  connect(token?: string): void {
    if (token !== undefined) this.#options = { ...this.#options, token };
    if (this.#state.name === 'connecting' || this.#state.name === 'live') return;
    this.#open();
  }

  close(): void {
    this.#drop();
    this.#enter({ name: 'ended', why: 'closed' });
  }

  /** Forgets where it was: the next connection does not ask for what was missed. */
  forget(): void {
    this.#position.forget();
  }

  /** Resolves when the state is `live`. */
  live(): Promise<void> {
    if (this.#state.name === 'live') return Promise.resolve();
    return new Promise((resolve) => this.#waitingForLive.push(resolve));
  }

  /**
   * Subscribes, now or when there is a connection, and again after each reconnect. Rejects with a RequestError: then a
   * subscription of that name is as it was.
   */
  async subscribe(subscription: Subscription): Promise<ServerMessage> {
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
  }

  async unsubscribe(name: string): Promise<void> {
    if (this.#subscriptions.delete(name) && this.#state.name === 'live') await this.request('unsubscribe', { name });
  }

  async setPreferences(preferences: Preferences): Promise<void> {
    this.#preferences = { ...this.#preferences, ...preferences };
    if (this.#state.name === 'live') await this.request('set_preferences', { ...preferences });
  }

  /** Ends alerts, by the ids of their events: at most 32. */
  acknowledge(ids: string[], note = ''): Promise<ServerMessage> {
    return this.request('acknowledge', note === '' ? { ids } : { ids, note });
  }

  /** Sends a request; its answer. Rejects with RequestError where the server refuses, else with ConnectionLost. */
  request(type: string, data: Record<string, unknown> = {}): Promise<ServerMessage> {
    return new Promise((resolve, reject) => {
      const id = `c${this.#nextId++}`;
      const timer = setTimeout(() => this.#lost('no answer in time'), PATIENCE_MS);
      this.#pending.set(id, { resolve, reject, timer });
      if (!this.#send({ type, id, data })) this.#settle(id)?.reject(new ConnectionLost('not connected'));
    });
  }

  #send(message: object): boolean {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
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
    this.#options.onState?.(state);
    if (state.name === 'live') for (const resolve of this.#waitingForLive.splice(0)) resolve();
  }

  #open(): void {
    this.#drop();
    this.#refusal = '';
    this.#enter({ name: 'connecting' });
    const Socket = this.#options.WebSocket ?? WebSocket;
    const compressed = typeof DecompressionStream === 'function';
    const socket = new Socket(this.#options.url, [compressed ? 'bindcast.v1.deflate' : 'bindcast.v1.json']);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost('no answer in time'), PATIENCE_MS);
    const ifCurrent = (act: () => void) => () => {
      if (this.#socket === socket) act();
    };
    socket.onopen = ifCurrent(() => {
      // Where no token is said, and one is wanted, the answer to a ping is an error, and no silence.
      const token = this.#options.token;
      this.#send(token ? { type: 'authenticate', data: { token } } : { type: 'ping' });
    });
    socket.onmessage = (message: MessageEvent<string | ArrayBuffer>) => {
      this.#heardAt = Date.now();
      this.#inOrder(socket, () => this.#take(socket, message.data));
    };
    socket.onclose = (closed) => this.#inOrder(socket, () => this.#closed(closed.code, closed.reason));
  }

  // After all frames that came before.
  #inOrder(socket: WebSocket, act: () => void | Promise<void>): void {
    ++this.#backlog;
    this.#decoding = this.#decoding
      .then(() => (this.#socket === socket ? act() : undefined))
      .catch((fault: unknown) => {
        if (this.#socket === socket) this.#lost(`a message cannot be read: ${String(fault)}`);
      })
      .finally(() => --this.#backlog);
  }

  async #take(socket: WebSocket, frame: string | ArrayBuffer): Promise<void> {
    const text = typeof frame === 'string' ? frame : await inflated(frame);
    if (this.#socket === socket) this.#receive(JSON.parse(text) as Record<string, unknown>);
  }

  #receive(message: Record<string, unknown>): void {
    if (message['type'] === 'batched_events') this.#events(message['events'] as BindcastEvent[]);
    else if ('category' in message) this.#events([message as unknown as BindcastEvent]);
    else this.#other(message as unknown as ServerMessage);
  }

  #events(events: BindcastEvent[]): void {
    const news = events.filter((event) => this.#position.isNews(event));
    if (news.length > 0) this.#options.onEvents?.(news);
  }

  #other(message: ServerMessage): void {
    const data = message.data ?? {};
    const pending = message.reply_to === undefined ? undefined : this.#settle(String(message.reply_to));
    if (message.type === 'gap') {
      this.#options.onGap?.(data as unknown as Gap);
    } else if (message.type === 'connection_established') {
      this.#welcome(data as unknown as Welcome);
    } else if (pending !== undefined) {
      if (message.type === 'error') pending.reject(new RequestError(data));
      else pending.resolve(message);
    } else if (message.type === 'error' && this.#state.name === 'connecting') {
      this.#refusal = String(data['message'] ?? '');
      // It may be about a cookie whose session is over: a token is judged by itself, and a bad one closes.
      if (data['code'] === 'AUTH_FAILED' && !this.#options.token) this.#unauthenticated(this.#refusal);
    } else {
      if (message.type === 'session_expired') this.#refusal = String(data['reason'] ?? 'the session has ended');
      if (message.type !== 'pong') this.#options.onMessage?.(message);
    }
  }

  #welcome(welcome: Welcome): void {
    clearTimeout(this.#timer);
    const since = this.#subscriptions.size > 0 ? this.#position.at : '';
    if (since === '') this.#position.forget();
    this.#position.connected(welcome.epoch, welcome.offset);
    this.#liveSince = this.#heardAt = Date.now();
    this.#watch = setInterval(() => this.#watchOver(), SILENCE_MS / 3);
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
        if (fault) this.#options.onGap?.({ reason: 'unknown', count: 0 });
      };
      asked.push(this.#again('resume', { since }, resumed));
    }
    const socket = this.#socket;
    void Promise.all(asked).then(() => {
      if (this.#socket === socket) this.#enter({ name: 'live', welcome });
    });
  }

  // What is asked of every new connection; a refusal is a message to whom it concerns. Never rejects.
  async #again(type: string, data: Record<string, unknown>, then: (fault?: RequestError) => void = () => {}) {
    try {
      const answer = await this.request(type, data);
      then();
      if (type === 'resume') this.#options.onMessage?.(answer);
    } catch (fault) {
      if (!(fault instanceof RequestError)) return;
      then(fault);
      this.#options.onMessage?.({ type: 'error', data: { code: fault.code, message: fault.message, request: type } });
    }
  }

  #watchOver(): void {
    if (Date.now() - this.#heardAt > SILENCE_MS) this.request('ping').catch(() => {});
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
    if (this.#state.name === 'live' && Date.now() - this.#liveSince >= STANDS_MS) this.#attempt = 0;
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
    socket?.close();
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(new ConnectionLost('the connection was lost'));
  }
}

async function inflated(frame: ArrayBuffer): Promise<string> {
  const stream = new DecompressionStream('deflate');
  const writer = stream.writable.getWriter();
  const text = new Response(stream.readable).text();
  await Promise.all([text, writer.write(new Uint8Array(frame)), writer.close()]);
  return text;
}
