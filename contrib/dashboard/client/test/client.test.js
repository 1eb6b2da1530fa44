import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { backoffMs } from '../dist/backoff.js';
import { Client, ConnectionLost, RequestError } from '../dist/index.js';
import { FakeSocket } from './fake_socket.js';

const EPOCH = '660f8a2951184';
const id = (offset, epoch = EPOCH) => `${epoch}-${String(offset).padStart(12, '0')}`;
const event = (offset, more = {}) => ({ id: id(offset), type: 'zone_updated', category: 'dns', priority: 'normal',
  severity: 'info', timestamp: '2026-11-26T12:00:00.000000Z', data: {}, ...more });

let client, seen, gaps, messages, states;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  FakeSocket.all = [];
  [seen, gaps, messages, states] = [[], [], [], []];
});

afterEach(() => {
  client?.close();
  mock.timers.reset();
});

// Until everything that can happen without a timer has happened.
async function settled() {
  for (let quiet = 0; quiet < 10; quiet = client.backlog > 0 ? 0 : quiet + 1)
    await new Promise((resolve) => setImmediate(resolve));
}

function make(options = {}) {
  client = new Client({ url: 'ws://server/ws', token: 'secret', WebSocket: FakeSocket,
    onEvents: (events) => seen.push(...events.map((one) => one.id)), onGap: (gap) => gaps.push(gap),
    onMessage: (message) => messages.push(message), onState: (state) => states.push(state.name), ...options });
  client.connect();
}

async function welcomed(offset = 0, epoch = EPOCH) {
  FakeSocket.last.open();
  FakeSocket.last.say({ type: 'connection_established', data: { user: 'ann', roles: ['admin'], epoch, offset } });
  await settled();
}

async function connected(options) {
  make(options);
  await welcomed();
}

async function subscribed(subscription = { name: 'all' }) {
  await connected();
  const made = client.subscribe(subscription);
  await settled();
  FakeSocket.last.answer(FakeSocket.last.asked('subscribe').at(-1), 'subscription_updated');
  await made;
}

// Cut, and connected again; what the client asks for then is not answered yet.
async function cutAndBack(offset = 0, epoch = EPOCH) {
  FakeSocket.last.cut();
  await settled();
  mock.timers.tick(20_000);
  await welcomed(offset, epoch);
}

async function answerAll() {
  const socket = FakeSocket.last;
  for (const request of socket.sent.filter((one) => one.id)) socket.answer(request, 'answer');
  await settled();
}

test('a token is the first message; without one a ping asks whether one is wanted', async () => {
  await connected();
  assert.deepEqual(FakeSocket.last.sent[0], { type: 'authenticate', data: { token: 'secret' } });
  assert.deepEqual(FakeSocket.last.protocols, ['bindcast.v1.deflate']);
  assert.deepEqual(states, ['connecting', 'live']);
  client.close();
  make({ token: '' });
  FakeSocket.last.open();
  assert.equal(FakeSocket.last.sent[0].type, 'ping');
  FakeSocket.last.say({ type: 'error', data: { code: 'AUTH_FAILED', message: 'authenticate first' } });
  await settled();
  assert.deepEqual(client.state, { name: 'unauthenticated', why: 'authenticate first' });
});

test('a cookie that is over does not keep a token from being tried', async () => {
  make();
  FakeSocket.last.open();
  FakeSocket.last.say({ type: 'error', data: { code: 'AUTH_FAILED', message: 'the cookie is over' } });
  await settled();
  assert.equal(client.state.name, 'connecting');
  await welcomed();
  assert.equal(client.state.name, 'live');
});

for (const [code, state] of [[4401, 'unauthenticated'], [4408, 'unauthenticated'], [4403, 'ended'], [4409, 'ended'],
  [1008, 'ended'], [1001, 'waiting'], [1006, 'waiting'], [1013, 'waiting'], [4429, 'waiting']])
  test(`closed with ${code} the client is ${state}`, async () => {
    await connected();
    FakeSocket.last.cut(code, 'why');
    await settled();
    assert.equal(client.state.name, state);
    assert.equal(client.state.why, 'why');
    mock.timers.tick(60_000);
    assert.equal(FakeSocket.all.length, state === 'waiting' ? 2 : 1);
  });

test('batches, compressed and not, come in order', async () => {
  await connected();
  const batch = (...offsets) => ({ type: 'batched_events', batch_size: offsets.length, events: offsets.map((one) => event(one)) });
  FakeSocket.last.sayDeflated(batch(1, 2));
  FakeSocket.last.say(event(3));
  FakeSocket.last.sayDeflated(event(4));
  FakeSocket.last.say(batch(5, 6));
  assert.equal(client.backlog, 4);
  await settled();
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6].map((one) => id(one)));
  assert.equal(client.backlog, 0);
  assert.equal(client.position, id(6));
});

test('a gap is a value between events', async () => {
  const order = [];
  await connected({ onEvents: (events) => order.push(events[0].id), onGap: (gap) => order.push(gap.reason) });
  FakeSocket.last.sayDeflated(event(1));
  FakeSocket.last.say({ type: 'gap', data: { reason: 'queue_overflow', count: 7, by_type: { dns_query_log: 7 } } });
  FakeSocket.last.say(event(9));
  await settled();
  assert.deepEqual(order, [id(1), 'queue_overflow', id(9)]);
});

test('after a cut it subscribes again and resumes where it was', async () => {
  await subscribed({ name: 'zones', categories: ['dns'] });
  FakeSocket.last.say(event(5));
  await settled();
  await cutAndBack(9);
  const kinds = FakeSocket.last.sent.map((message) => message.type);
  assert.deepEqual(kinds, ['authenticate', 'subscribe', 'resume']);
  assert.deepEqual(FakeSocket.last.asked('resume')[0].data, { since: id(5) });
  assert.equal(client.state.name, 'connecting');
  await answerAll();
  assert.equal(client.state.name, 'live');
});

test('critical events overtake: the position is that of the last one in order, and they come once', async () => {
  await subscribed();
  FakeSocket.last.say(event(3));
  FakeSocket.last.say(event(8, { priority: 'critical' }));
  await settled();
  assert.equal(client.position, id(3));
  await cutAndBack(9);
  assert.equal(FakeSocket.last.asked('resume')[0].data.since, id(3));
  await answerAll();
  for (const one of [event(4), event(8, { priority: 'critical' }), event(9)]) FakeSocket.last.say(one);
  await settled();
  assert.deepEqual(seen, [3, 8, 4, 9].map((one) => id(one)));
});

test('an event that is sent again to be acknowledged is told again', async () => {
  await connected();
  FakeSocket.last.say(event(8, { priority: 'critical' }));
  FakeSocket.last.say(event(8, { priority: 'critical', metadata: { attempt: 2 } }));
  await settled();
  assert.equal(seen.length, 2);
});

test('what comes live before the past does is not where to come back to', async () => {
  await subscribed();
  FakeSocket.last.say(event(5));
  await settled();
  await cutAndBack(20);
  FakeSocket.last.say(event(21));
  await settled();
  assert.equal(client.position, id(5));
  await answerAll();
  for (const offset of [6, 7, 21, 22]) FakeSocket.last.say(event(offset));
  await settled();
  assert.deepEqual(seen, [5, 21, 6, 7, 22].map((one) => id(one)));
  assert.equal(client.position, id(22));
});

test('events of the life before come in order before those of this one', async () => {
  await subscribed();
  FakeSocket.last.say(event(5));
  await settled();
  await cutAndBack(3, 'ffff');
  await answerAll();
  FakeSocket.last.say(event(6));
  await settled();
  assert.equal(client.position, id(6));
  FakeSocket.last.say({ ...event(1), id: id(1, 'ffff') });
  FakeSocket.last.say(event(7));
  await settled();
  assert.equal(client.position, id(1, 'ffff'));
});

test('what cannot be resumed is a gap of which nobody knows how large it is', async () => {
  await subscribed();
  await cutAndBack();
  const [resume] = FakeSocket.last.asked('resume');
  FakeSocket.last.answer(resume, 'error', { code: 'INVALID_MESSAGE', message: 'since: no id of this epoch' });
  await answerAll();
  assert.deepEqual(gaps, [{ reason: 'unknown', count: 0 }]);
  assert.equal(client.state.name, 'live');
});

test('requests have answers, refusals, or a connection that was lost', async () => {
  await connected();
  const [good, bad, lost] = ['get_status', 'subscribe', 'ping'].map((type) => client.request(type));
  for (const one of [good, bad, lost]) one.catch(() => {}); // until it is looked at
  const [first, second] = FakeSocket.last.sent.slice(1);
  FakeSocket.last.answer(second, 'error', { code: 'SUBSCRIPTION_FAILED', message: 'filter', details: { column: 8 } });
  FakeSocket.last.answer(first, 'status', { version: '1' });
  await settled();
  assert.equal((await good).data.version, '1');
  await assert.rejects(bad, (fault) => fault instanceof RequestError && fault.code === 'SUBSCRIPTION_FAILED' && fault.details.column === 8);
  FakeSocket.last.cut();
  await assert.rejects(lost, ConnectionLost);
});

test('a refused subscription leaves the one of that name as it was', async () => {
  await subscribed({ name: 'live', filter: 'category = "dns"' });
  const refused = client.subscribe({ name: 'live', filter: 'nonsense' });
  await settled();
  FakeSocket.last.answer(FakeSocket.last.asked('subscribe').at(-1), 'error', { code: 'SUBSCRIPTION_FAILED' });
  await assert.rejects(refused, RequestError);
  await cutAndBack();
  assert.deepEqual(FakeSocket.last.asked('subscribe')[0].data, { name: 'live', filter: 'category = "dns"' });
});

test('a subscription before there is a connection waits for one, and outlives a cut', async () => {
  make();
  const made = client.subscribe({ name: 'early' });
  await welcomed();
  assert.equal(FakeSocket.last.asked('subscribe').length, 1);
  await cutAndBack(); // without an answer
  FakeSocket.last.answer(FakeSocket.last.asked('subscribe')[0], 'subscription_updated');
  await made;
});

test('what is unsubscribed is not subscribed to again', async () => {
  await subscribed({ name: 'gone' });
  client.unsubscribe('gone').catch(() => {});
  await cutAndBack();
  assert.deepEqual(FakeSocket.last.sent.map((message) => message.type), ['authenticate']);
});

test('acknowledge, and preferences that outlive a cut', async () => {
  await connected({ preferences: { fold: false } });
  assert.deepEqual(FakeSocket.last.asked('set_preferences')[0].data, { fold: false });
  await answerAll();
  client.acknowledge([id(8)], 'seen').catch(() => {});
  assert.deepEqual(FakeSocket.last.asked('acknowledge')[0].data, { ids: [id(8)], note: 'seen' });
  await cutAndBack();
  assert.equal(FakeSocket.last.asked('set_preferences').length, 1);
});

test('a server that says nothing is asked, and given up', async () => {
  await connected();
  for (let quarter = 0; quarter < 4; ++quarter) mock.timers.tick(15_001);
  assert.equal(FakeSocket.last.asked('ping').length, 1);
  mock.timers.tick(10_001);
  assert.ok(states.includes('waiting'), states.join());
});

test('what is no message is a fault of the connection, and not of the page', async () => {
  await connected();
  FakeSocket.last.onmessage({ data: new ArrayBuffer(8) });
  await settled();
  assert.equal(client.state.name, 'waiting');
});

test('waiting grows, with chance, up to a bound', () => {
  assert.deepEqual([1, 2, 3].map((attempt) => backoffMs(attempt, 1)), [250, 500, 1000]);
  assert.equal(backoffMs(1, 0), 125);
  assert.equal(backoffMs(50, 1), 15_000);
});

test('frames that a real server sent are understood', async () => {
  await connected();
  for (const line of readFileSync(new URL('recorded.jsonl', import.meta.url), 'utf8').trim().split('\n')) {
    const { text, base64 } = JSON.parse(line);
    const frame = base64 ? Uint8Array.from(Buffer.from(base64, 'base64')).buffer : text;
    FakeSocket.last.onmessage({ data: frame });
  }
  await settled();
  // 60 queries, of which every other one was sampled.
  assert.equal(new Set(seen).size, 30);
  assert.equal(gaps.reduce((sum, gap) => sum + gap.count, 0), 30);
  assert.equal(client.state.name, 'live');
});
