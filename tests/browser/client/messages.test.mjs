// SPDX-License-Identifier: MIT
//
// Messages and their handlers, acknowledgements, and the cursor that is kept.

import assert from 'node:assert/strict';
import { Browser } from './browser.mjs';
import { settle } from './clock.mjs';
import { answer } from './server.mjs';
import { looks, test, waits } from './transports.mjs';

async function started(options = {}) {
  const browser = new Browser();
  const tab = browser.tab();
  const box = tab.letterbox({ share: false, ...options });
  await browser.advance(500);
  return { browser, tab, box, server: browser.server };
}

/** A promise, and the functions that resolve or reject it. */
function open() {
  const door = {};
  door.promise = new Promise((resolve, reject) => Object.assign(door, { resolve, reject }));
  return door;
}

const afters = (server) => server.requests.map(({ query }) => query.after);

test('a message is an event of its type and of "message", with everything that was pushed', async () => {
  const { browser, box, server } = await started();
  const seen = [];
  const note = (event) => void seen.push([event.type, event.kind, event.id, event.data, event.time]);
  box.on('mail', note);
  box.on('message', note);
  box.on('chat', note);
  const id = server.push('new', 'mail');
  await browser.advance(0);
  const rest = ['mail', id, 'new', browser.clock.now];
  assert.deepEqual(seen, [['message', ...rest], ['mail', ...rest]]);
});

test('a message of type "message", which is the default, is given once', async () => {
  const { browser, box, server } = await started();
  server.push('plain');
  await browser.advance(0);
  assert.deepEqual(box.got, ['plain']);
});

for (const type of ['error', 'open', 'close', 'state', 'missed', 'reset', 'superseded'])
  test(`a message pushed with the type "${type}" is not taken for the client's own event`, async () => {
    const { browser, box, server } = await started();
    const states = box.states.length;
    const kinds = [];
    box.on('message', ({ kind }) => void kinds.push(kind));
    server.push('forged', type);
    await browser.advance(0);
    assert.deepEqual(kinds, [type]);
    assert.deepEqual(box.log, ['open']);
    assert.deepEqual(box.states.slice(states), ['answered messages', waits()]);
  });

test('on() returns a function that removes the handler', async () => {
  const { browser, box, server } = await started();
  const seen = [];
  const away = box.on('mail', ({ data }) => void seen.push(data));
  server.push(1, 'mail');
  await browser.advance(0);
  away();
  server.push(2, 'mail');
  await browser.advance(0);
  assert.deepEqual(seen, [1]);
  assert.deepEqual(box.got, [1, 2]);
});

test('a handler\'s promise is waited for: nothing is acknowledged sooner', async () => {
  const { browser, box, server } = await started();
  const door = open();
  box.on('mail', () => door.promise);
  server.push('slow', 'mail');
  await browser.advance(60_000);
  assert.equal(server.polls.length, 1 + looks());
  assert.equal(box.cursor, '0');
  assert.deepEqual(afters(server), Array(1 + looks()).fill('0'));
  door.resolve();
  await browser.advance(1000);
  assert.equal(box.cursor, server.id(1));
  assert.deepEqual(afters(server).slice(1 + looks()), [server.id(1)]);
});

test('messages of one answer are handled in order, one after the other, and the cursor moves with each', async () => {
  const { browser, box, server } = await started();
  const doors = [open(), open()];
  const seen = [];
  box.on('message', ({ data }) => {
    seen.push(data);
    return doors[data].promise;
  });
  server.network = 'down';
  server.endAll('timeout');
  for (const data of [0, 1]) server.push(data);
  server.network = 'up';
  await browser.advance(500);
  assert.deepEqual(seen, [0]);
  doors[0].resolve();
  await settle();
  assert.deepEqual(seen, [0, 1]);
  assert.equal(box.cursor, server.id(1));
  doors[1].resolve();
  await settle();
  assert.equal(box.cursor, server.id(2));
});

for (const [what, fail] of [
  ['throws', () => { throw new Error('oops'); }],
  ['breaks its promise', () => Promise.reject(new Error('oops'))],
])
  test(`a message whose handler ${what} is fetched again, and those after it; those before it are acknowledged`, async () => {
    const { browser, tab, box, server } = await started();
    const errors = [];
    box.on('error', ({ code, message, terminal, retryIn }) => void errors.push([code, message, terminal, retryIn]));
    let bad = true;
    const handled = [];
    box.on('message', ({ data }) => {
      if (data === 2 && bad) return fail();
      handled.push(data);
    });
    server.network = 'down';
    server.endAll('timeout');
    for (const data of [1, 2, 3]) server.push(data);
    server.network = 'up';
    await browser.advance(500);
    assert.deepEqual(handled, [1]);
    assert.deepEqual(errors, [['handler', 'oops', false, 500]]);
    assert.equal(box.cursor, server.id(1));
    assert.equal(tab.window.reported[0].message, 'oops');
    bad = false;
    await browser.advance(500);
    assert.equal(server.polls.at(-1 - looks()).query.after, server.id(1));
    assert.deepEqual(handled, [1, 2, 3]);
    assert.equal(box.cursor, server.id(3));
  });

test('a handler that fails for ever makes no hot loop, and its message comes again and again', async () => {
  const { browser, box, server } = await started();
  let tries = 0;
  box.on('mail', () => {
    ++tries;
    throw new Error('no');
  });
  server.push('x', 'mail');
  await browser.advance(600_000);
  assert.ok(tries > 8 && tries < 25, `${tries} in ten minutes`);
  assert.ok(server.polls.length < 30);
  await browser.advance(600_000);
  assert.ok(tries > 14);
  assert.equal(box.cursor, '0');
});

test('if one of several handlers fails the message is given again only after the others are done', async () => {
  const { browser, box, server } = await started();
  const door = open();
  let slow = 0;
  box.on('mail', () => (++slow, door.promise));
  let bad = true;
  box.on('mail', () => (bad ? Promise.reject(new Error('no')) : undefined));
  server.push('x', 'mail');
  await browser.advance(60_000);
  assert.equal(slow, 1);
  bad = false;
  door.resolve();
  await browser.advance(2000);
  assert.equal(slow, 2);
  assert.equal(box.cursor, server.id(1));
});

test('without handlers messages are acknowledged: the page does not want them', async () => {
  const { browser, box, server } = await started();
  server.push('x', 'unknown');
  await browser.advance(1000);
  assert.equal(server.told, server.id(1));
  assert.equal(box.cursor, server.id(1));
});

test('by hand: the next request waits until the last message of the answer is acknowledged', async () => {
  const { browser, box, server } = await started({ ack: 'manual' });
  const held = [];
  box.on('message', (message) => void held.push(message));
  server.network = 'down';
  server.endAll('timeout');
  for (const data of [1, 2, 3]) server.push(data);
  server.network = 'up';
  await browser.advance(60_000);
  assert.deepEqual(box.got, [1, 2, 3]);
  assert.equal(server.polls.length, 2 + looks());
  server.push(4);
  held[1].ack();
  await browser.advance(0);
  assert.equal(box.cursor, server.id(2), 'it, and all before it');
  assert.deepEqual(box.got, [1, 2, 3]);
  held[2].ack();
  held[2].ack();
  held[0].ack();
  await browser.advance(1000);
  assert.equal(server.told, server.id(3));
  assert.deepEqual(box.got, [1, 2, 3, 4]);
});

test('by hand: a handler that fails has its message fetched again, but not once that is acknowledged', async () => {
  const { browser, box, server } = await started({ ack: 'manual' });
  let acknowledges = false;
  box.on('message', (message) => {
    if (acknowledges) message.ack();
    throw new Error('no');
  });
  server.push('x');
  await browser.advance(400);
  assert.deepEqual(box.got, ['x']);
  acknowledges = true;
  await browser.advance(60_000);
  assert.deepEqual(box.got, ['x', 'x']);
  assert.deepEqual(box.log, ['open', 'error handler', 'error handler']);
  assert.equal(box.cursor, server.id(1));
});

test('each of thousands of messages is given once, and old ones are not remembered', async () => {
  const { browser, box, server } = await started();
  for (let data = 0; data < 3000; ++data) server.push(data);
  await browser.advance(2000);
  assert.deepEqual(box.got, Array.from({ length: 3000 }, (_, data) => data));
  assert.equal(box.cursor, server.id(3000));
  const again = [1, 2999].map((number) => ({ id: server.id(number), type: 'again', data: `again ${number}`, time: 1 }));
  server.instead(answer({ count: 2, messages: again, cursor: server.id(3000), reason: 'messages' }));
  server.endAll('timeout');
  await browser.advance(2000);
  assert.deepEqual(box.got.slice(3000), ['again 1']);
});

test('by hand: messages that were not acknowledged come after a reload', async () => {
  const { browser, tab, box, server } = await started({ ack: 'manual' });
  box.on('message', (message) => message.data === 1 && message.ack());
  server.push(1);
  await browser.advance(0);
  server.push(2);
  await browser.advance(0);
  const again = tab.reload().letterbox({ share: false, ack: 'manual' });
  await browser.advance(600);
  assert.deepEqual(again.got, [2]);
});

test('in auto mode ack() does nothing', async () => {
  const { browser, box, server } = await started();
  const door = open();
  box.on('message', (message) => (message.ack(), door.promise));
  server.push('x');
  await browser.advance(0);
  assert.equal(box.cursor, '0');
  door.resolve();
});

test('a reload goes on where it was: same client, same cursor', async () => {
  const { browser, tab, box, server } = await started();
  server.push(1);
  await browser.advance(0);
  const reloaded = tab.reload();
  server.push(2);
  const again = reloaded.letterbox({ share: false });
  assert.equal(again.client, box.client);
  assert.equal(again.cursor, server.id(1));
  await browser.advance(600);
  assert.deepEqual(again.got, [2]);
});

test('a reload while a handler runs loses nothing', async () => {
  const { browser, tab, box, server } = await started();
  box.on('message', () => open().promise);
  server.push('unfinished');
  await browser.advance(0);
  const again = tab.reload().letterbox({ share: false });
  await browser.advance(600);
  assert.deepEqual(again.got, ['unfinished']);
});

test('a handler that calls close() has its message acknowledged once it has ended', async () => {
  const { browser, box, server } = await started();
  box.on('message', () => box.close());
  server.push('log out');
  await browser.advance(0);
  assert.equal(box.closed, true);
  assert.equal(box.cursor, server.id(1));
  server.push('later');
  box.open();
  await browser.advance(600);
  assert.deepEqual(box.got, ['log out', 'later']);
});

test('messages in hand at close() are given after open(), once', async () => {
  const { browser, box, server } = await started();
  const doors = [open(), open()];
  const done = [];
  box.on('message', async ({ data }) => {
    await doors[data]?.promise;
    done.push(data);
  });
  server.network = 'down';
  server.endAll('timeout');
  for (const data of [0, 1, 2]) server.push(data);
  server.network = 'up';
  await browser.advance(500);
  box.close();
  doors[0].resolve();
  await browser.advance(1000);
  assert.deepEqual(box.got, [0], 'closed, it gives no more');
  assert.equal(box.cursor, server.id(1));
  box.open();
  await browser.advance(600);
  assert.deepEqual(box.got, [0, 1]);
  doors[1].resolve();
  await browser.advance(600);
  assert.deepEqual(done, [0, 1, 2]);
  assert.deepEqual(box.got, [0, 1, 2]);
  assert.equal(box.cursor, server.id(3));
});

test('without a kept cursor it begins at the oldest message, or at the given cursor', async () => {
  const browser = new Browser();
  for (const data of [1, 2, 3]) browser.server.push(data);
  const all = browser.tab().letterbox({ share: false });
  const some = browser.tab().letterbox({ share: false, after: browser.server.id(2) });
  await browser.advance(600);
  assert.deepEqual(all.got, [1, 2, 3]);
  assert.deepEqual(some.got, [3]);
});

test('it works with blocked storage: the cursor is in memory', async () => {
  const browser = new Browser();
  browser.without.add('storage');
  const box = browser.tab().letterbox();
  await browser.advance(600);
  for (const data of [1, 2]) {
    browser.server.push(data);
    await browser.advance(1000);
  }
  assert.deepEqual(box.got, [1, 2]);
  assert.equal(browser.server.told, browser.server.id(2));
});

test('foreign values in storage are not believed', async () => {
  for (const left of ['', 'null', '7', '{', '[]', '{"name":"a b","cursor":"1-1","count":1}', '{"name":"x","cursor":1,"count":1}', '{"name":"x","cursor":"1-1","count":1e400}']) {
    const browser = new Browser();
    const first = browser.tab();
    first.letterbox({ share: false });
    const [key] = first.sessionStorage.keys();
    first.sessionStorage.setItem(key, left);
    const box = first.reload().letterbox({ share: false });
    assert.equal(box.cursor, '0', left);
    browser.server.push('x');
    await browser.advance(600);
    assert.deepEqual(box.got, ['x'], left);
  }
});

test('a name that is made up is one that the server takes, and different each time', async () => {
  const browser = new Browser();
  const names = new Set();
  for (let turn = 0; turn < 50; ++turn) names.add(browser.tab().letterbox({ share: false, start: false }).client);
  assert.equal(names.size, 50);
  for (const name of names) assert.match(name, /^[A-Za-z0-9._\-@:+]{1,64}$/);
});

test('the token is never in storage', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  tab.letterbox({ token: 's3cret' });
  await browser.advance(600);
  const kept = JSON.stringify([tab.sessionStorage, browser.localStorage].map((storage) => [storage.keys(), storage.values()]));
  assert.ok(kept.includes('cursor') && !kept.includes('s3cret'));
});

test('missed and reset are reported before the messages of the same answer', async () => {
  const { browser, box, server } = await started();
  const order = [];
  for (const type of ['reset', 'missed', 'message']) box.on(type, (event) => void order.push([type, event.count ?? event.data].join(' ')));
  server.instead(answer({ count: 1, messages: [{ id: server.id(4), type: 'x', data: 'm', time: 1 }], cursor: server.id(4), missed: 3, reset: true, reason: 'messages' }));
  server.endAll('timeout');
  await browser.advance(500);
  assert.deepEqual(order, ['reset ', 'missed 3', 'message m']);
});

test('an answer without messages that moves the cursor moves it', async () => {
  const { browser, box, server } = await started();
  server.instead(answer({ cursor: '9-9', missed: 9 }));
  server.endAll('timeout');
  await browser.advance(500);
  assert.deepEqual(box.log, ['open', 'missed 9']);
  assert.equal(box.cursor, '9-9');
});

test('a missed count is reported once, however often the answer is fetched', async () => {
  const { browser, box, server } = await started();
  let bad = true;
  box.on('message', () => {
    if (bad) throw new Error('no');
  });
  const late = answer({ count: 1, messages: [{ id: server.id(4), type: 'x', data: 'm', time: 1 }], cursor: server.id(4), missed: 3, reset: true, reason: 'messages' });
  server.instead(late, late, { ...late, missed: 4 });
  server.endAll('timeout');
  await browser.advance(3000);
  assert.deepEqual(box.log.filter((said) => !said.startsWith('error')), ['open', 'reset', 'missed 3', 'missed 1']);
  bad = false;
  await browser.advance(60_000);
});
