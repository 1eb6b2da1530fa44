// What goes over the wire; doc/protocol.md and doc/events.md say what it means.

export type Priority = 'low' | 'normal' | 'high' | 'critical' | 'urgent';
export type Severity = 'debug' | 'info' | 'warning' | 'error' | 'critical';

export interface BindcastEvent {
  id: string;
  type: string;
  category: string;
  priority: Priority;
  severity: Severity;
  timestamp: string;
  data: Record<string, unknown>;
  metadata?: {
    source_service?: string;
    source_component?: string;
    host?: string;
    view?: string;
    correlation_id?: string;
    /** This event stands for so many. */
    sampled?: number;
    /** Which sending of this event it is, from 2 on. */
    attempt?: number;
    [more: string]: unknown;
  };
  [more: string]: unknown;
}

/** What was lost. Of the reason `unknown`, which is this client's own, nobody can say how much: `count` is 0. */
export interface Gap {
  reason: string;
  count: number;
  by_type?: Record<string, number>;
  from?: string;
  to?: string;
}

/** Any message that is neither an event nor a batch. */
export interface ServerMessage {
  type: string;
  timestamp?: string;
  reply_to?: string | number;
  data?: Record<string, unknown>;
}

export interface Welcome {
  user: string;
  roles: string[];
  /** What the roles allow: watch, acknowledge, publish, administer. */
  may: string[];
  /** Event types that none of the roles lets this user see: subscribing to one is refused. */
  hidden_types: string[];
  version: string;
  epoch: string;
  offset: number;
  limits: Record<string, number>;
}

export interface Subscription {
  /** Another subscription of the same name is replaced. */
  name: string;
  event_types?: string[];
  categories?: string[];
  min_priority?: Priority;
  min_severity?: Severity;
  filter?: string;
  /** 1 in so many. */
  sample?: number;
}

export interface Preferences {
  batch?: boolean;
  max_batch_size?: number;
  batch_timeout_ms?: number;
  profile?: string | null;
  fold?: boolean;
}
