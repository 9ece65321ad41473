// SPDX-License-Identifier: MIT
//
// Streams alone: how they are read, what is acknowledged next to them, and when it polls instead.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, stopped, tabsOf, toldWhenRefused, troubles } from './browser.mjs';
import { answer, event, events, page, refusal } from './server.mjs';

async function started(options = {}) {
  const browser = new Browser();
  const tab = browser.tab();
  const box = tab.letterbox({ share: false, transport: 'auto', ...options });
  await browser.advance(500);
  return { browser, tab, box, server: browser.server };
}

const paths = (server) => server.polls.map(({ path }) => path.slice(1));
const afters = (requests) => requests.map(({ query }) => query.after);
const bytes = (text) => new TextEncoder().encode(text);

// - asking for one

test('by default it streams: one request, without a look before it', async () => {
  const browser = new Browser();
  const box = browser.tab().letterbox({ share: false, transport: undefined });
  await browser.advance(500);
  assert.deepEqual(paths(browser.server), ['events']);
  assert.deepEqual(box.log, ['open']);
  assert.equal(browser.server.parked, 1);
});

test('a stream is never cached, and carries cursor, client and token as a poll does', async () => {
  const { server } = await started({ token: 'alice.s3cret', client: 'phone+1', after: '5-1' });
  const [{ method, query, headers, cache, credentials }] = server.polls;
  assert.deepEqual({ method, query, headers, cache, credentials }, {
    method: 'GET',
    query: { client: 'phone+1', after: '5-1' },
    headers: { Authorization: 'Bearer alice.s3cret' },
    cache: 'no-store',
    credentials: 'include',
  });
});

test('many messages come by one request, and its state says so', async () => {
  const { browser, box, server } = await started();
  for (let data = 0; data < 20; ++data) {
    server.push(data);
    await browser.advance(100);
  }
  assert.deepEqual(box.got, Array.from({ length: 20 }, (_, data) => data));
  assert.equal(server.polls.length, 1);
  assert.deepEqual(box.states.slice(0, 3), ['streaming', 'answered messages', 'streaming']);
});

test('pings keep a stream, and the page is not told of them', async () => {
  const { browser, box, server } = await started();
  await browser.advance(299_000);
  assert.equal(server.polls.length, 1);
  assert.deepEqual(box.states, ['streaming']);
  await browser.advance(1200);
  assert.equal(server.polls.length, 2);
  assert.deepEqual(box.states, ['streaming', 'answered timeout', 'waiting 100', 'streaming']);
  assert.deepEqual(box.log, ['open']);
});

// - reading

for (const [what, cut] of [
  ['byte by byte', () => 1],
  ['in the middle of each event', (length) => Math.ceil(length / 2)],
])
  test(`messages that arrive ${what} are read as if they came in one piece, also beyond ASCII`, async () => {
    const { browser, box, server } = await started();
    const messages = ['grün', '漢字', '🙂 and so on', '\u2028event: letterbox.end', 'a\r\nb'].map((data, index) => ({ id: server.id(index + 1), type: 'text', data, time: 1 }));
    const whole = bytes(events({ messages }));
    const step = cut(whole.length);
    for (let from = 0; from < whole.length; from += step) {
      server.write(whole.slice(from, from + step));
      await browser.advance(0);
    }
    assert.deepEqual(box.got, messages.map(({ data }) => data));
    assert.equal(box.cursor, server.id(5));
    assert.deepEqual(box.log, ['open']);
  });

test('lines may end by CRLF, also one that is cut in two', async () => {
  const { browser, box, server } = await started();
  const text = events({ messages: [1, 2].map((number) => ({ id: server.id(number), type: 'message', data: number, time: 1 })) }).replaceAll('\n', '\r\n');
  for (const half of [text.slice(0, text.indexOf('\r') + 1), text.slice(text.indexOf('\r') + 1)]) {
    server.write(half);
    await browser.advance(0);
  }
  assert.deepEqual(box.got, [1, 2]);
});

test('fields without a blank, comments and unknown fields do no harm', async () => {
  const { browser, box, server } = await started();
  server.write(`:hello\n\nretry\n\nfuture: x\nid:${server.id(1)}\nevent:mail\ndata:${JSON.stringify({ id: server.id(1), type: 'mail', data: 1, time: 1 })}\n\nevent: letterbox.future\ndata: {}\n\n`);
  await browser.advance(0);
  server.push('later');
  await browser.advance(0);
  assert.deepEqual(box.got, [1]); // `later` has the same id
  assert.deepEqual(box.log, ['open']);
});

test('the part of an event that a broken stream had is dropped, and the event comes by the next', async () => {
  const { browser, box, server } = await started();
  server.push('one');
  await browser.advance(0);
  server.still = true;
  server.push('two');
  server.write(`id: ${server.id(2)}\ndata: {"id":"${server.id(2)}","type":"mess`);
  await browser.advance(0);
  server.still = false;
  server.cutAll();
  await browser.advance(1000);
  assert.deepEqual(box.got, ['one', 'two']);
  assert.deepEqual(box.log, ['open', 'error network', 'open']);
  assert.deepEqual(afters(server.polls), ['0', server.id(1)]);
});

test('messages before an end are handled before it comes back', async () => {
  const { browser, box, server } = await started();
  let finish;
  box.on('message', () => new Promise((resolve) => (finish = resolve)));
  await browser.advance(2000);
  server.push('last');
  server.endAll('shutdown', 700);
  await browser.advance(5000);
  assert.equal(server.polls.length, 1);
  finish();
  await browser.advance(699);
  assert.equal(server.polls.length, 1);
  await browser.advance(1);
  assert.deepEqual(afters(server.polls), ['0', server.id(1)]);
});

for (const reason of ['timeout', 'shutdown', 'slow'])
  test(`after an end (${reason}) it comes back when the stream told it to, without an error`, async () => {
    const { browser, box, server } = await started();
    await browser.advance(2000);
    server.endAll(reason, 7300);
    await browser.advance(7299);
    assert.equal(server.polls.length, 1);
    await browser.advance(1);
    assert.equal(server.polls.length, 2);
    assert.deepEqual(box.log, ['open']);
  });

test('missed and reset are reported once, before the messages that follow them, and after those before them', async () => {
  const { browser, box, server } = await started();
  const order = [];
  for (const type of ['reset', 'missed', 'message']) box.on(type, (event) => void order.push([type, event.count ?? event.data].join(' ').trim()));
  const message = (number) => ({ id: server.id(number), type: 'message', data: number, time: 1 });
  server.write(events({ messages: [message(1)] }) + events({ messages: [message(5)], missed: 3, reset: true }));
  await browser.advance(0);
  server.write(events({ messages: [], cursor: server.id(7), missed: 2 }));
  await browser.advance(0);
  assert.deepEqual(order.slice(1), ['reset', 'missed 3', 'message 5', 'missed 2']);
  assert.equal(order[0], 'message 1');
  assert.equal(box.cursor, server.id(7));
});

test('a missed count that is cut off from its message is reported once, also if the message comes again', async () => {
  const { browser, box, server } = await started();
  let bad = true;
  box.on('message', () => {
    if (bad) throw new Error('no');
  });
  const late = answer({ messages: [{ id: server.id(4), type: 'x', data: 'm', time: 1 }], cursor: server.id(4), missed: 3, reason: 'messages' });
  server.instead(late);
  const text = events(late);
  server.write(text.slice(0, text.indexOf('id:')));
  await browser.advance(0);
  server.write(text.slice(text.indexOf('id:')));
  await browser.advance(400);
  bad = false;
  await browser.advance(1000);
  assert.deepEqual(box.got, ['m', 'm']);
  assert.deepEqual(box.log, ['open', 'missed 3', 'error handler']);
});

test('a stream is read on only when handlers are done', async () => {
  const { browser, box, server } = await started();
  const doors = [];
  box.on('message', () => new Promise((resolve) => doors.push(resolve)));
  server.push(1);
  await browser.advance(0);
  server.push(2);
  server.push(3);
  await browser.advance(60_000);
  assert.deepEqual(box.got, [1]);
  doors[0]();
  await browser.advance(0);
  assert.deepEqual(box.got, [1, 2]);
  assert.equal(server.polls.length, 1);
});

test('a handler that fails has the stream begun again at the cursor', async () => {
  const { browser, box, server } = await started();
  let bad = true;
  box.on('message', ({ data }) => {
    if (data === 2 && bad) throw new Error('no');
  });
  for (const data of [1, 2, 3]) server.push(data);
  await browser.advance(400);
  bad = false;
  await browser.advance(1000);
  assert.deepEqual(box.got, [1, 2, 2, 3]);
  assert.deepEqual(afters(server.polls), ['0', server.id(1)]);
  assert.equal(server.polls[0].aborted, true);
});

// - acknowledging

test('during a stream it acknowledges at most once a second, and only handled messages', async () => {
  const { browser, box, server } = await started({ token: 't', client: 'phone' });
  let finish;
  box.on('message', ({ data }) => (data === 30 ? new Promise((resolve) => (finish = resolve)) : undefined));
  for (let data = 0; data < 30; ++data) {
    server.push(data);
    await browser.advance(100);
  }
  server.push(30);
  await browser.advance(10_000);
  assert.ok(server.acks.length >= 3 && server.acks.length <= 4, `${server.acks.length}`);
  const { method, headers, query } = server.acks.at(-1);
  assert.deepEqual({ method, headers, query }, { method: 'POST', headers: { Authorization: 'Bearer t' }, query: { client: 'phone', after: server.id(30) } });
  finish();
  await browser.advance(1000);
  assert.equal(server.told, server.id(31));
  const { length } = server.acks;
  await browser.advance(100_000);
  assert.equal(server.acks.length, length);
});

for (const [what, refused] of [
  ['is refused', refusal(401, 'bad_token', { terminal: true })],
  ['is not known', page(404)],
  ['is overloaded', refusal(503, 'overloaded', { retry_after_ms: 5000 })],
])
  test(`an acknowledgement that ${what} does no harm: the next stream says the same`, async () => {
    const { browser, box, server } = await started({ token: () => 't' });
    server.insteadOfAck = refused;
    server.push(1);
    await browser.advance(3000);
    server.push(2);
    await browser.advance(3000);
    assert.deepEqual(box.got, [1, 2]);
    assert.deepEqual(box.log, ['open']);
    assert.equal(server.polls.length, 1);
    server.endAll('timeout');
    await browser.advance(1000);
    assert.deepEqual(afters(server.polls), ['0', server.id(2)]);
    assert.deepEqual(box.got, [1, 2]);
  });

test('a stream that ends within the second is acknowledged by the next one, and by no request of its own', async () => {
  const { browser, server } = await started();
  server.push(1);
  await browser.advance(0);
  server.endAll('timeout');
  await browser.advance(10_000);
  assert.deepEqual(server.acks, []);
  assert.deepEqual(afters(server.polls), ['0', server.id(1)]);
});

test('polls alone need no acknowledgement of its own', async () => {
  const { browser, server } = await started({ transport: 'poll' });
  server.push(1);
  await browser.advance(60_000);
  assert.deepEqual(server.acks, []);
});

test('once the token is another person\'s nothing is acknowledged for the former one', async () => {
  const jwt = (sub) => `x.${Buffer.from(JSON.stringify({ sub })).toString('base64url')}.x`;
  let person = 'alice';
  const { browser, box, server } = await started({ token: () => jwt(person) });
  server.who = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sub;
  const { client } = box;
  server.endAll('timeout');
  await browser.advance(1000);
  server.push(1, 'message', 'alice');
  await browser.advance(0);
  person = 'bob';
  await browser.advance(2000);
  assert.deepEqual(server.acks, []);
  assert.deepEqual(box.log, ['open', 'reset', 'open']);
  assert.notEqual(box.client, client);
  assert.equal(server.parked, 1);
});

// - when nothing comes

test('a stream that is silent for longer than two pings is dropped, and begun again at once', async () => {
  const { browser, box, server } = await started();
  server.still = true;
  await browser.advance(34_000);
  assert.equal(server.polls.length, 1);
  await browser.advance(6000);
  assert.equal(server.polls.length, 2);
  assert.equal(server.polls[0].aborted, true);
  assert.deepEqual(box.log, ['open']);
});

test('a stream that slept with the machine is begun again as that wakes', async () => {
  const { browser, box, server } = await started();
  server.push('before');
  await browser.advance(1000);
  server.still = true; // the connection died in its sleep
  browser.clock.sleep(8 * 3_600_000);
  server.push('meanwhile');
  server.still = false;
  await browser.advance(10_000);
  assert.deepEqual(box.got, ['before', 'meanwhile']);
  assert.deepEqual(box.log, ['open']);
});

test('a stream that is cut again and again as soon as it is open makes no hot loop', async () => {
  const { browser, server } = await started();
  for (let step = 0; step < 6000; ++step) {
    server.cutAll();
    await browser.advance(100);
  }
  assert.ok(server.polls.length < 30, `${server.polls.length} in ten minutes`);
});

test('a stream that was open before it was cut is begun again soon, each time', async () => {
  const { browser, server } = await started();
  for (let turn = 0; turn < 20; ++turn) {
    await browser.advance(30_000);
    server.cutAll();
    await browser.advance(1000);
    assert.equal(server.parked, 1, `${turn}`);
  }
});

// - polls instead

test('if a stream\'s first byte does not come within 5 s a proxy may hold it back, so it polls', async () => {
  const browser = new Browser();
  browser.server.network = 'silent';
  const box = browser.tab().letterbox({ share: false, transport: 'auto' });
  await browser.advance(4999);
  assert.deepEqual(paths(browser.server), ['events']);
  browser.server.network = 'up';
  browser.server.push('x');
  await browser.advance(1);
  assert.deepEqual(paths(browser.server), ['events', 'poll', 'poll']);
  assert.equal(browser.server.polls[0].aborted, true);
  assert.deepEqual(box.got, ['x']);
  assert.deepEqual(box.log, ['open']);
  assert.deepEqual(box.states.slice(0, 3), ['streaming', 'polling', 'answered messages']);
});

test('so it does if the head of the answer comes, and nothing of its body', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const { fetch } = tab.window;
  tab.window.fetch = async (address, init) => {
    if (!address.includes('/events')) return fetch(address, init);
    return { ok: true, status: 200, headers: new Headers({ 'Content-Type': 'text/event-stream' }), body: { getReader: () => ({ read: () => new Promise(() => {}) }) } };
  };
  const box = tab.letterbox({ share: false, transport: 'auto' });
  await browser.advance(5000);
  assert.deepEqual(paths(browser.server), ['poll', 'poll']);
  assert.deepEqual(box.log, ['open']);
});

test('a browser whose fetch does not stream polls', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const { fetch } = tab.window;
  tab.window.fetch = async (address, init) => ({ ...(await fetch(address, init)), body: undefined });
  const box = tab.letterbox({ share: false, transport: 'auto' });
  await browser.advance(6000);
  browser.server.push('x');
  await browser.advance(0);
  assert.deepEqual(box.got, ['x']);
  assert.deepEqual(paths(browser.server).slice(0, 2), ['events', 'poll']);
});

test('it polls for five minutes, and then tries a stream again; one that gets through stays', async () => {
  const browser = new Browser();
  browser.server.network = 'silent';
  browser.tab().letterbox({ share: false, transport: 'auto' });
  await browser.advance(4999);
  browser.server.network = 'up';
  await browser.advance(299_000);
  assert.deepEqual(new Set(paths(browser.server).slice(1)), new Set(['poll']));
  await browser.advance(60_000);
  assert.equal(paths(browser.server).at(-1), 'events');
  const { length } = browser.server.polls;
  await browser.advance(200_000);
  assert.equal(browser.server.polls.length, length);
});

test('with transport "stream" it waits for a slow stream', async () => {
  const browser = new Browser();
  browser.server.network = 'silent';
  browser.tab().letterbox({ share: false, transport: 'stream' });
  await browser.advance(34_000);
  assert.deepEqual(paths(browser.server), ['events']);
  browser.server.network = 'up';
  await browser.advance(6000);
  assert.deepEqual(paths(browser.server), ['events', 'events']);
  assert.equal(browser.server.parked, 1);
});

for (const [what, said] of [
  ['a page', page(200, '<p>Welcome')],
  ['404', page(404)],
  ['404 of an older Letterbox', refusal(404, 'unknown_route', { terminal: true })],
])
  for (const transport of ['auto', 'stream'])
    test(`if /events is answered by ${what} it polls, without a report (${transport})`, async () => {
      const browser = new Browser();
      browser.server.instead(said);
      const box = browser.tab().letterbox({ share: false, transport });
      await browser.advance(500);
      browser.server.push('x');
      await browser.advance(0);
      assert.deepEqual(box.got, ['x']);
      assert.deepEqual(box.log, ['open']);
      assert.deepEqual(paths(browser.server).slice(0, 3), ['events', 'poll', 'poll']);
    });

test('a stream of another server is not taken for messages', async () => {
  const { browser, box, server } = await started();
  server.write('id: 7\ndata: {"price":1}\n\n');
  await browser.advance(1000);
  assert.deepEqual(box.got, []);
  assert.equal(box.cursor, '0');
  assert.equal(paths(server).at(-1), 'poll');
});

// - refused, and ended

for (const [status, code] of [[401, 'bad_token'], [403, 'locked'], [400, 'bad_client']])
  test(`a terminal error (${code}) stops it, and says why`, async () => {
    const all = await started();
    const { server } = all;
    assert.deepEqual(await toldWhenRefused(all, status, code), stopped(status, code));
    assert.equal(server.polls.length, 2);
  });

test('a token that is refused is asked for once more, and the page hears nothing of it', async () => {
  const asked = [];
  const { browser, box, server } = await started({ token: ({ refused }) => (asked.push(refused), refused ? 'new' : 'old') });
  server.instead(refusal(401, 'bad_token', { terminal: true }));
  server.endAll('timeout');
  await browser.advance(1000);
  assert.deepEqual(asked, [false, false, true]);
  assert.equal(server.polls.at(-1).headers.Authorization, 'Bearer new');
  assert.deepEqual(box.log, ['open']);
});

for (const transport of ['auto', 'stream']) {
  test(`a client that was kicked (204) learns why by a poll, and stops (${transport})`, async () => {
    const browser = new Browser();
    browser.server.instead(page(204, ''), refusal(403, 'kicked', { terminal: true }));
    const box = browser.tab().letterbox({ share: false, transport });
    await browser.advance(600_000);
    assert.deepEqual(paths(browser.server), ['events', 'poll']);
    assert.deepEqual(box.log, ['error kicked terminal', 'close kicked']);
  });

  test(`a client that is kicked during a stream learns why by a poll, and stops (${transport})`, async () => {
    const { browser, box, server } = await started({ transport });
    server.instead(refusal(403, 'locked', { terminal: true }));
    server.endAll('kicked');
    await browser.advance(600_000);
    assert.deepEqual(paths(server), ['events', 'poll']);
    assert.deepEqual(box.log, ['open', 'error locked terminal', 'close locked']);
  });
}

test('a passing error ends the stream: it is reported, and the stream tried again when it said', async () => {
  const { browser, box, server } = await started();
  const all = troubles(box);
  server.endAll('store_unavailable', 9000);
  await browser.advance(8999);
  assert.deepEqual(all, [{ type: 'error', code: 'store_unavailable', message: 'stream: store_unavailable', status: 200, terminal: false, retryIn: 9000 }]);
  assert.equal(server.polls.length, 1);
  await browser.advance(1);
  assert.deepEqual(box.log, ['open', 'error store_unavailable', 'open']);
  assert.deepEqual(paths(server), ['events', 'events']);
});

test('a stream that only says such an error is no "open"', async () => {
  const browser = new Browser();
  browser.server.instead(...Array(20).fill(refusal(503, 'overloaded', { retry_after_ms: 1000 })));
  const box = browser.tab().letterbox({ share: false, transport: 'auto' });
  await browser.advance(60_000);
  assert.deepEqual(new Set(box.log), new Set(['error overloaded']));
  assert.ok(browser.server.polls.length < 15, `${browser.server.polls.length}`);
});

test('"superseded" stops it; if the page prevents that it goes on after a pause', async () => {
  for (const prevents of [false, true]) {
    const { browser, box, server } = await started({ client: 'phone' });
    if (prevents) box.on('superseded', (event) => event.preventDefault());
    server.endAll('superseded', 1500);
    await browser.advance(1499);
    assert.equal(server.polls.length, 1);
    await browser.advance(60_000);
    assert.deepEqual(box.log, prevents ? ['open', 'superseded'] : ['open', 'superseded', 'close superseded']);
    assert.equal(server.polls.length, prevents ? 2 : 1);
  }
});

test('close() aborts the stream', async () => {
  const { browser, box, server } = await started();
  server.push(1);
  await browser.advance(0);
  box.close();
  await browser.advance(100_000);
  assert.equal(server.polls[0].aborted, true);
  assert.deepEqual([server.parked, server.polls.length, server.acks.length], [0, 1, 0]);
  assert.deepEqual(box.log, ['open', 'close closed']);
});

// - tabs

test('tabs share one stream; each ping tells the others that the leader is well', async () => {
  const { browser, boxes, server } = await tabsOf({ user: 'alice' }, 3, { transport: 'auto' });
  await browser.advance(290_000);
  server.push('x');
  await browser.advance(2000);
  assert.deepEqual(boxes.map(({ got }) => got), [['x'], ['x'], ['x']]);
  assert.deepEqual(boxes.map(({ leading }) => leading), [true, false, false]);
  assert.equal(server.polls.length, 1);
  assert.deepEqual(new Set(server.acks.map(({ query }) => query.client)), new Set([boxes[0].client]));
});

test('a tab that polls because a proxy holds streams back leads tabs that would stream', async () => {
  const browser = new Browser();
  browser.server.network = 'silent';
  const first = browser.tab().letterbox({ user: 'alice', transport: 'auto' });
  await browser.advance(4999);
  browser.server.network = 'up';
  await browser.advance(1);
  const second = browser.tab().letterbox({ user: 'alice', transport: 'auto' });
  await browser.advance(20_000);
  browser.server.push('x');
  await browser.advance(1000);
  assert.deepEqual([first.got, second.got], [['x'], ['x']]);
  assert.deepEqual([first.leading, second.leading], [true, false]);
  assert.equal(browser.server.parked, 1);
});

test('an event that only tells the position of a stream is no message', async () => {
  const { browser, box, server } = await started();
  const id = server.id(1);
  server.write(`id: ${id}\n${event('position', { cursor: id })}`);
  await browser.advance(1000);
  assert.deepEqual(box.got, []);
  server.endAll('timeout');
  await browser.advance(1000);
  assert.deepEqual(afters(server.polls), ['0', id]);
});
