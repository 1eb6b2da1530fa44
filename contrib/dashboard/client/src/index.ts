export { Client, ConnectionLost, RequestError, type ClientOptions, type State } from './client.ts';
export type { BindcastEvent, Gap, Preferences, Priority, ServerMessage, Severity, Subscription, Welcome } from './messages.ts';
