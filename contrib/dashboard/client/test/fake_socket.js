import { deflateSync } from 'node:zlib';

/** The ArrayBuffer of a compressed frame. */
export function deflated(text) {
  const frame = deflateSync(text);
  return frame.buffer.slice(frame.byteOffset, frame.byteOffset + frame.byteLength);
}

/** Stands for WebSocket: what the client sends is kept, what the server sends is said by the test. */
export class FakeSocket {
  static all = [];
  static get last() {
    return FakeSocket.all.at(-1);
  }

  readyState = 0;
  sent = [];

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    FakeSocket.all.push(this);
  }

  send(text) {
    if (this.readyState === 0) throw new Error('InvalidStateError');
    if (this.readyState === 1) this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  /** As a text frame. */
  say(message) {
    this.sayFrame(JSON.stringify(message));
  }

  /** As a compressed one. */
  sayDeflated(message) {
    this.sayFrame(deflated(JSON.stringify(message)));
  }

  /** Text, or an ArrayBuffer, whatever it holds. */
  sayFrame(data) {
    this.onmessage?.({ data });
  }

  /** Cut, or closed by the server. */
  cut(code = 1006, reason = '') {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** The requests of a type, answered or not. */
  asked(type) {
    return this.sent.filter((message) => message.type === type);
  }

  answer(request, type, data = {}) {
    this.say({ type, reply_to: request.id, data });
  }
}
