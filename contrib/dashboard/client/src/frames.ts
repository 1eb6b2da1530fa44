// From a frame to a message whose shape can be relied on. The server may be anybody.
import type { BindcastEvent, Gap, ServerMessage, Welcome } from './messages.ts';

// No server of ours sends a larger message: it is four times the largest batching.max_batch_bytes.
const MOST_BYTES = 64 * 2 ** 20;

/** What a frame holds: one member is there. */
export interface Content {
  events?: BindcastEvent[];
  gap?: Gap;
  welcome?: Welcome;
  other?: ServerMessage;
}

/** Rejects where the frame is no message of the protocol. */
export async function contentOf(frame: string | ArrayBuffer): Promise<Content> {
  const text = typeof frame === 'string' ? frame : await inflated(frame);
  const message = objectOf(JSON.parse(text));
  const type = textOf(message['type']);
  if (type === 'batched_events') return { events: listOf(message['events']).map(eventOf) };
  if ('category' in message) return { events: [eventOf(message)] };
  const data = objectOf(message['data'] ?? {});
  if (type === 'gap') return { gap: gapOf(data) };
  if (type === 'connection_established') return { welcome: welcomeOf(data) };
  if (!['undefined', 'string', 'number'].includes(typeof message['reply_to'])) throw new Error('it answers nothing');
  return { other: { ...message, type, data } };
}

// A frame that is small may become large: it is given up before the memory is.
async function inflated(frame: ArrayBuffer): Promise<string> {
  const stream = new DecompressionStream('deflate');
  const writer = stream.writable.getWriter();
  Promise.all([writer.write(new Uint8Array(frame)), writer.close()]).catch(() => {}); // the reader meets the same fault
  const reader = stream.readable.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > MOST_BYTES) {
      reader.cancel().catch(() => {});
      throw new Error('it is too large');
    }
    text += decoder.decode(value, { stream: true });
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('an object is missing');
  return value as Record<string, unknown>;
}

function listOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error('a list is missing');
  return value;
}

function textOf(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new Error('a text is missing');
  return value;
}

function countOf(value: unknown): number {
  if (typeof value !== 'number' || value < 0) throw new Error('a count is missing');
  return value;
}

function eventOf(value: unknown): BindcastEvent {
  const event = objectOf(value);
  for (const member of ['id', 'type', 'category', 'priority', 'severity', 'timestamp']) textOf(event[member]);
  objectOf(event['data']);
  objectOf(event['metadata'] ?? {});
  return event as unknown as BindcastEvent;
}

function gapOf(data: Record<string, unknown>): Gap {
  textOf(data['reason']);
  countOf(data['count']);
  Object.values(objectOf(data['by_type'] ?? {})).forEach(countOf);
  return data as unknown as Gap;
}

function welcomeOf(data: Record<string, unknown>): Welcome {
  for (const member of ['user', 'version', 'epoch']) textOf(data[member]);
  listOf(data['roles']).forEach(textOf);
  countOf(data['offset']);
  objectOf(data['limits']);
  const may = listOf(data['may'] ?? []).map(textOf), hidden = listOf(data['hidden_types'] ?? []).map(textOf);
  return { ...(data as unknown as Welcome), may, hidden_types: hidden };
}
