import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { backoffMs } from '../dist/backoff.js';
import { Client, ConnectionLost, RequestError } from '../dist/index.js';
import { deflated, FakeSocket } from './fake_socket.js';

const EPOCH = '660f8a2951184';
const id = (offset, epoch = EPOCH) => `${epoch}-${String(offset).padStart(12, '0')}`;
const event = (offset, more = {}) => ({ id: id(offset), type: 'zone_updated', category: 'dns', priority: 'normal',
  severity: 'info', timestamp: '2026-11-26T12:00:00.000000Z', data: {}, ...more });

const welcome = (more) => ({ user: 'ann', roles: ['admin'], may: ['watch'], hidden_types: [], version: '1', epoch: EPOCH,
  offset: 0, limits: {}, ...more });

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
  FakeSocket.last.say({ type: 'connection_established', data: welcome({ epoch, offset }) });
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
  assert.equal(FakeSocket.last.url, 'ws://server/ws?cookie=no'); // of whoever has logged in by the same browser
  assert.deepEqual(FakeSocket.last.protocols, ['bindcast.v1.deflate']);
  assert.deepEqual(states, ['connecting', 'live']);
  client.close();
  make({ token: '' });
  FakeSocket.last.open();
  assert.equal(FakeSocket.last.sent[0].type, 'ping');
  assert.equal(FakeSocket.last.url, 'ws://server/ws');
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

test('after forget() it is as a new client', async () => {
  await subscribed();
  FakeSocket.last.say(event(5));
  await settled();
  client.forget();
  await cutAndBack(9);
  assert.deepEqual(FakeSocket.last.sent.map((message) => message.type), ['authenticate']);
  assert.equal(client.position, id(9));
});

test('critical events that nothing follows are remembered up to a bound, and then count as in order', async () => {
  await subscribed();
  for (let offset = 1; offset <= 600; ++offset) FakeSocket.last.say(event(offset, { priority: 'critical' }));
  await settled();
  assert.equal(client.position, id(100));
  await cutAndBack(600);
  for (let offset = 601; offset <= 1200; ++offset) FakeSocket.last.say(event(offset)); // what is asked for has not begun
  await settled();
  assert.equal(client.position, id(100));
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

test('a server that says nothing is asked, and given up, whatever the clock does', async () => {
  await connected();
  await cutAndBack();
  mock.timers.setTime(1); // long ago
  mock.timers.tick(30_001);
  FakeSocket.last.say({ type: 'pong' });
  mock.timers.tick(30_001);
  assert.equal(FakeSocket.last.asked('ping').length, 0);
  mock.timers.tick(15_001);
  assert.equal(FakeSocket.last.asked('ping').length, 1);
  mock.timers.tick(10_001);
  assert.equal(client.state.name, 'waiting');
});

const GOOD = event(7), NO_ID = { ...event(8), id: undefined };
for (const [what, frame] of [
  ['nothing', ''], ['no JSON', '{'], ['null', 'null'], ['a number', '7'], ['a text', '"category"'], ['a list', '[]'],
  ['no type', '{}'], ['a type that is none', '{"type":7}'], ['data that is none', '{"type":"pong","data":"x"}'],
  ['a reply to none', '{"type":"pong","reply_to":{}}'],
  ['a batch without events', '{"type":"batched_events"}'], ['a batch of nulls', '{"type":"batched_events","events":[null]}'],
  ['a batch whose last event has no id', JSON.stringify({ type: 'batched_events', events: [GOOD, NO_ID] })],
  ['an event without data', JSON.stringify({ ...event(8), data: null })],
  ['an event whose id is none', JSON.stringify({ ...event(8), id: 8 })],
  ['an event whose metadata is none', JSON.stringify(event(8, { metadata: 7 }))],
  ['a gap of less than nothing', '{"type":"gap","data":{"reason":"sampled","count":-1}}'],
  ['a gap without a reason', '{"type":"gap","data":{"count":1}}'],
  ['a gap without a count', '{"type":"gap","data":{"reason":"sampled"}}'],
  ['a gap of no number', '{"type":"gap","data":{"reason":"sampled","count":1,"by_type":{"a":"b"}}}'],
  ['a second welcome', JSON.stringify({ type: 'connection_established', data: welcome() })],
  ['no deflate', new ArrayBuffer(8)], ['half of a deflate', deflated(JSON.stringify(event(8))).slice(0, 40)],
  ['an empty deflate', new ArrayBuffer(0)], ['a deflate of no JSON', deflated('{')],
  ['a deflate that becomes too large', deflated(JSON.stringify(event(8, { data: { text: ' '.repeat(65 * 2 ** 20) } })))],
])
  test(`${what} is a fault of the connection, and nothing of it counts`, async () => {
    await subscribed();
    FakeSocket.last.say(event(5));
    FakeSocket.last.sayFrame(frame);
    FakeSocket.last.say(event(9));
    await settled();
    assert.equal(client.state.name, 'waiting');
    assert.match(client.state.why, /cannot be read/);
    assert.deepEqual(seen, [id(5)]);
    mock.timers.tick(20_000);
    await welcomed(9);
    assert.equal(FakeSocket.last.asked('resume')[0].data.since, id(5));
  });

for (const more of [{ epoch: '' }, { epoch: null }, { offset: 'x' }, { user: undefined }, { roles: {} }, { limits: null }])
  test(`a welcome with ${JSON.stringify(more)} is none`, async () => {
    make();
    FakeSocket.last.open();
    FakeSocket.last.say({ type: 'connection_established', data: welcome(more) });
    await settled();
    assert.equal(client.state.name, 'waiting');
    assert.equal(client.position, '');
  });

test('what answers nothing that was asked is a message like others; a gap or an event answers nothing', async () => {
  await connected();
  const asked = client.request('get_status');
  const [request] = FakeSocket.last.asked('get_status');
  FakeSocket.last.say({ type: 'status', reply_to: 'c999', data: { of: 'nobody' } });
  FakeSocket.last.say({ type: 'error', reply_to: 999, data: { message: 'of nobody' } });
  FakeSocket.last.say({ type: 'gap', reply_to: request.id, data: { reason: 'sampled', count: 3 } });
  FakeSocket.last.say({ ...event(1), reply_to: request.id });
  FakeSocket.last.answer(request, 'status', { version: '1' });
  FakeSocket.last.answer(request, 'status', { version: '2' });
  assert.equal((await asked).data.version, '1');
  await settled();
  assert.deepEqual(messages.map((message) => message.type), ['status', 'error', 'status']);
  assert.deepEqual([gaps[0].count, ...seen], [3, id(1)]);
});

test('frames that come faster than they are decoded are given up before they fill the memory', async () => {
  await subscribed();
  FakeSocket.last.say(event(5));
  await settled();
  const megabytes = JSON.stringify(event(6, { data: { text: ' '.repeat(2 ** 23) } }));
  const socket = FakeSocket.last;
  for (let frame = 0; frame < 10; ++frame) socket.sayFrame(megabytes);
  assert.equal(client.state.name, 'waiting');
  assert.match(client.state.why, /more comes than/);
  await settled();
  assert.deepEqual([seen, client.backlog], [[id(5)], 0]);
  await cutAndBack(9);
  assert.equal(FakeSocket.last.asked('resume')[0].data.since, id(5));
});

test('without DecompressionStream it does not ask for compression', async () => {
  const { DecompressionStream } = globalThis;
  delete globalThis.DecompressionStream;
  try {
    await connected();
    assert.deepEqual(FakeSocket.last.protocols, ['bindcast.v1.json']);
  } finally {
    globalThis.DecompressionStream = DecompressionStream;
  }
});

test('a fault of the program is its own: the stream goes on', async () => {
  const reported = mock.method(console, 'error', () => {});
  const broken = () => {
    throw new Error('of the program');
  };
  await connected({ onEvents: broken, onGap: broken, onMessage: broken, onState: broken });
  FakeSocket.last.say(event(1));
  FakeSocket.last.say({ type: 'gap', data: { reason: 'sampled', count: 1 } });
  FakeSocket.last.say({ type: 'broadcast', data: {} });
  await settled();
  assert.equal(client.state.name, 'live');
  assert.equal(client.position, id(1));
  assert.equal(reported.mock.callCount(), 5);
  reported.mock.restore();
});

test('close() in any state leaves no timer and no socket, also when it is called from onState', async () => {
  for (const moment of ['connecting', 'live', 'waiting']) {
    make({ onState: (state) => state.name === moment && client.close() });
    if (moment !== 'connecting') await welcomed();
    if (moment === 'waiting') {
      FakeSocket.last.cut();
      await settled();
    }
    assert.equal(client.state.name, 'ended', moment);
    assert.equal(FakeSocket.last.readyState, 3, moment);
    const sockets = FakeSocket.all.length;
    mock.timers.tick(120_000);
    assert.equal(FakeSocket.all.length, sockets, moment);
  }
});

test('connect() twice makes one connection, and one at once where it waits', async () => {
  make();
  client.connect();
  assert.equal(FakeSocket.all.length, 1);
  await welcomed();
  client.connect();
  assert.equal(FakeSocket.all.length, 1);
  FakeSocket.last.cut();
  await settled();
  client.connect();
  assert.equal(FakeSocket.all.length, 2);
  mock.timers.tick(6_000); // within the patience with a connection that is made
  assert.equal(FakeSocket.all.length, 2);
});

test('what a connection that is over still says is not heard', async () => {
  await subscribed();
  const old = FakeSocket.last;
  await cutAndBack();
  await answerAll();
  old.say(event(5));
  old.cut(4401, 'too late');
  await settled();
  assert.deepEqual(seen, []);
  assert.equal(client.state.name, 'live');
});

for (const [when, until] of [['before it is open', () => {}], ['before its welcome', () => FakeSocket.last.open()]])
  test(`closed ${when} it tries again`, async () => {
    make();
    until();
    FakeSocket.last.cut();
    await settled();
    assert.equal(client.state.name, 'waiting');
    mock.timers.tick(20_000);
    await welcomed();
    assert.equal(client.state.name, 'live');
  });

test('closed while it subscribes again it does so on the next connection', async () => {
  await subscribed({ name: 'zones' });
  await cutAndBack();
  await cutAndBack();
  assert.deepEqual(FakeSocket.last.sent.map((message) => message.type), ['authenticate', 'subscribe', 'resume']);
  await answerAll();
  assert.equal(client.state.name, 'live');
});

test('a server that never welcomes is given up', async () => {
  make();
  FakeSocket.last.open();
  mock.timers.tick(10_001);
  assert.deepEqual([client.state.name, client.state.why], ['waiting', 'no answer in time']);
});

test('what is asked of a socket that is being closed waits for the next one', async () => {
  await connected();
  FakeSocket.last.readyState = 2;
  const made = client.subscribe({ name: 'late' });
  const lost = assert.rejects(client.request('get_status'), ConnectionLost);
  await settled();
  await cutAndBack();
  await lost;
  FakeSocket.last.answer(FakeSocket.last.asked('subscribe')[0], 'subscription_updated');
  await made;
});

test('nothing is asked before the welcome', async () => {
  make();
  FakeSocket.last.open();
  await assert.rejects(client.request('get_status'), ConnectionLost);
  assert.deepEqual(FakeSocket.last.sent.map((message) => message.type), ['authenticate']);
});

test('the token is asked for at each connect', async () => {
  let token = 'first';
  await connected({ token: () => token });
  token = 'second';
  await cutAndBack();
  assert.deepEqual(FakeSocket.last.sent[0].data, { token: 'second' });
  token = '';
  FakeSocket.last.cut();
  await settled();
  mock.timers.tick(20_000);
  FakeSocket.last.open();
  assert.equal(FakeSocket.last.sent[0].type, 'ping');
});

test('a refusal that was overcome is not why the connection was lost later', async () => {
  make();
  FakeSocket.last.open();
  FakeSocket.last.say({ type: 'error', data: { code: 'AUTH_FAILED', message: 'the cookie is over' } });
  await welcomed();
  FakeSocket.last.cut();
  await settled();
  assert.equal(client.state.why, 'the connection was cut');
});

test('attempts that get a welcome and no life are made less and less often', async () => {
  await connected();
  const waits = [];
  for (let attempt = 0; attempt < 8; ++attempt) {
    const before = Date.now();
    FakeSocket.last.cut();
    await settled();
    waits.push(client.state.until - before);
    mock.timers.tick(15_001);
    await welcomed();
    mock.timers.tick(4_000);
  }
  assert.ok(waits.at(-1) >= 7_500, waits.join());
  mock.timers.tick(5_001); // it stands
  FakeSocket.last.cut();
  await settled();
  assert.ok(client.state.until - Date.now() <= 250);
});

test('subscribe and unsubscribe of one name happen in the order in which they were called', async () => {
  make();
  const made = client.subscribe({ name: 'brief' });
  const gone = client.unsubscribe('brief');
  await welcomed();
  FakeSocket.last.answer(FakeSocket.last.asked('subscribe')[0], 'subscription_updated');
  await settled();
  FakeSocket.last.answer(FakeSocket.last.asked('unsubscribe')[0], 'subscription_updated');
  await Promise.all([made, gone]);
  await cutAndBack();
  assert.equal(FakeSocket.last.asked('subscribe').length, 0);
});

test('what is unsubscribed, or preferred, while it subscribes again is told too', async () => {
  await subscribed({ name: 'gone' });
  await cutAndBack();
  client.unsubscribe('gone').catch(() => {});
  client.setPreferences({ fold: false }).catch(() => {});
  await settled();
  assert.deepEqual(FakeSocket.last.sent.slice(1).map((message) => message.type),
    ['subscribe', 'resume', 'set_preferences', 'unsubscribe']);
});

test('preferences that are refused are as they were', async () => {
  await connected({ preferences: { fold: false } });
  await answerAll();
  const refused = client.setPreferences({ max_batch_size: -1 });
  FakeSocket.last.answer(FakeSocket.last.asked('set_preferences').at(-1), 'error', { code: 'INVALID_MESSAGE' });
  await assert.rejects(refused, RequestError);
  await cutAndBack();
  assert.deepEqual(FakeSocket.last.asked('set_preferences')[0].data, { fold: false });
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
    FakeSocket.last.sayFrame(frame);
  }
  await settled();
  // 60 queries, of which every other one was sampled.
  assert.equal(new Set(seen).size, 30);
  assert.equal(gaps.reduce((sum, gap) => sum + gap.count, 0), 30);
  assert.equal(client.state.name, 'live');
});
