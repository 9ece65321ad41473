// SPDX-License-Identifier: MIT
//
// Tabs of one browser that share a poll.

import assert from 'node:assert/strict';
import { Browser, tabsOf } from './browser.mjs';
import { settle } from './clock.mjs';
import { dice } from './dice.mjs';
import { answer, refusal } from './server.mjs';
import { looks, test, waits } from './transports.mjs';

const ALICE = { user: 'alice' };

function open() {
  const door = {};
  door.promise = new Promise((resolve, reject) => Object.assign(door, { resolve, reject }));
  return door;
}

const readers = (server) => new Set(server.polls.map(({ query }) => query.client));

test('one of several tabs polls, and every tab runs its handlers', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 3);
  server.push('hello', 'mail');
  await browser.advance(0);
  assert.deepEqual(boxes.map(({ got }) => got), [['hello'], ['hello'], ['hello']]);
  assert.equal(server.parked, 1);
  assert.equal(readers(server).size, 1);
  assert.deepEqual(boxes.map(({ leading }) => leading), [true, false, false]);
  assert.deepEqual(boxes.map(({ states }) => states.at(-1)), [waits(), 'following', 'following']);
  assert.deepEqual(boxes.map(({ log }) => log), [['open'], ['open'], ['open']]);
});

test('tabs that share have one name, which outlives them', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2);
  assert.equal(boxes[0].client, boxes[1].client);
  for (const tab of tabs) tab.close();
  const later = browser.tab().letterbox(ALICE);
  await browser.advance(500);
  assert.equal(later.client, boxes[0].client);
  assert.equal(readers(server).size, 1);
});

test('the cursor outlives the tabs as well: no later tab gets a message again', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 1);
  server.push('old');
  await browser.advance(0);
  tabs[0].close();
  server.push('new');
  const later = browser.tab().letterbox(ALICE);
  await browser.advance(500);
  assert.deepEqual(boxes[0].got, ['old']);
  assert.deepEqual(later.got, ['new']);
});

test('another user, client or url is another mailbox: it is not shared', async () => {
  const browser = new Browser();
  const options = [{ user: 'a' }, { user: 'b' }, { user: 'a', client: 'phone' }, { user: 'a', url: '/other' }];
  const boxes = options.map((one) => browser.tab().letterbox(one));
  await browser.advance(500);
  assert.ok(boxes.every(({ leading }) => leading));
  assert.equal(browser.server.requests.length, 4 * (1 + looks()));
});

test('two ways to write the same address count as one', async () => {
  const browser = new Browser();
  const boxes = [undefined, '/', 'https://example.org'].map((url) => browser.tab().letterbox({ ...ALICE, url }));
  await browser.advance(500);
  assert.equal(boxes.filter(({ leading }) => leading).length, 1);
});

for (const missing of ['locks', 'channels'])
  test(`without ${missing} each tab polls for itself, as a client of its own`, async () => {
    const browser = new Browser();
    browser.without.add(missing);
    const boxes = [browser.tab().letterbox(ALICE), browser.tab().letterbox(ALICE)];
    await browser.advance(500);
    browser.server.push('x');
    await browser.advance(0);
    assert.deepEqual(boxes.map(({ got }) => got), [['x'], ['x']]);
    assert.equal(browser.server.parked, 2);
    assert.notEqual(boxes[0].client, boxes[1].client);
    assert.deepEqual(browser.localStorage.keys(), []);
  });

test('if locks or channels are there but refused, the tab polls for itself', async () => {
  for (const refuse of [
    (window) => { window.navigator.locks.request = () => Promise.reject(new Error('SecurityError')); },
    (window) => { window.BroadcastChannel = class { constructor() { throw new Error('SecurityError'); } }; },
  ]) {
    const browser = new Browser();
    const tab = browser.tab();
    refuse(tab.window);
    const box = tab.letterbox(ALICE);
    browser.server.push('x');
    await browser.advance(500);
    assert.deepEqual(box.got, ['x']);
    assert.equal(box.leading, true);
    assert.equal(browser.server.parked, 1);
    const { client } = box;
    browser.server.endAll('superseded'); // by a copy of this tab
    await browser.advance(1000);
    assert.notEqual(box.client, client);
    assert.equal(browser.server.parked, 1);
  }
});

for (const end of ['close', 'crash'])
  test(`when the leader's tab is gone (${end}) another takes over, without loss or doubling`, async () => {
    const { browser, tabs, boxes, server } = await tabsOf(ALICE, 3);
    server.push(1);
    await browser.advance(0);
    tabs[0][end]();
    server.push(2);
    await browser.advance(500);
    server.push(3);
    await browser.advance(0);
    assert.deepEqual(boxes.slice(1).map(({ got }) => got), [[1, 2, 3], [1, 2, 3]]);
    assert.deepEqual(boxes.slice(1).map(({ leading }) => leading), [true, false]);
    assert.equal(server.parked, 1);
    assert.deepEqual(boxes[1].log, ['open']);
  });

test('when the leading Letterbox is closed by its page another tab takes over, and the page may follow later', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2);
  boxes[0].close();
  server.push(1);
  await browser.advance(500);
  assert.deepEqual(boxes[1].got, [1]);
  boxes[0].open();
  await browser.advance(0);
  server.push(2);
  await browser.advance(0);
  assert.deepEqual(boxes[0].log, ['open', 'close closed', 'missed 1', 'open']);
  assert.deepEqual(boxes[0].got, [2]);
  assert.deepEqual(boxes[1].got, [1, 2]);
  assert.equal(boxes[0].leading, false);
});

test('a leader that is closed while its handler hangs lets another take over', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2);
  boxes[0].on('message', () => open().promise);
  server.push(1);
  await browser.advance(0);
  boxes[0].close();
  await browser.advance(1000);
  assert.equal(boxes[1].leading, true);
  assert.deepEqual(boxes[1].got, [1]);
  assert.equal(server.told, server.id(1));
});

test('a leader that crashes between telling the others and acknowledging: each tab has the message once', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 3);
  boxes[0].on('message', () => open().promise); // it never acknowledges
  server.push('x');
  await browser.advance(0);
  assert.equal(boxes[1].cursor, '0');
  tabs[0].crash();
  await browser.advance(1000);
  assert.deepEqual(boxes.slice(1).map(({ got }) => got), [['x'], ['x']]);
  assert.equal(boxes[1].cursor, server.id(1));
  assert.equal(server.told, server.id(1));
});

test('a leader that crashes before it has told any tab: each tab has the message once', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 3);
  server.network = 'silent'; // its answer never arrives
  server.endAll('timeout');
  await browser.advance(500);
  server.push('x');
  tabs[0].crash();
  server.network = 'up';
  await browser.advance(500);
  assert.deepEqual(boxes.slice(1).map(({ got }) => got), [['x'], ['x']]);
});

test('a tab that takes over before it heard the last of the leader, which acknowledged it, still has it', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2);
  let slow = 5000;
  browser.delay = () => slow;
  server.push('last words');
  await browser.advance(0);
  assert.equal(boxes[0].cursor, server.id(1));
  slow = 0;
  tabs[0].crash();
  await browser.advance(1000);
  assert.equal(boxes[1].leading, true);
  assert.deepEqual(boxes[1].got, []);
  await browser.advance(5000);
  assert.deepEqual(boxes[1].got, ['last words']);
});

test('the messages that a tab has in hand as it takes over are handled first, once, and acknowledged after that', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2);
  const door = open();
  boxes[0].on('message', () => open().promise);
  const done = [];
  boxes[1].on('message', async ({ data }) => {
    if (data === 1) await door.promise;
    done.push(data);
  });
  server.push(1);
  await browser.advance(0);
  tabs[0].crash();
  server.push(2);
  await browser.advance(500);
  assert.equal(boxes[1].cursor, '0');
  door.resolve();
  await settle();
  assert.deepEqual(done, [1, 2]);
  assert.equal(boxes[1].cursor, server.id(2));
});

test('a new tab gets no old messages, and all that come while it joins', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 1);
  server.push('old');
  await browser.advance(0);
  const door = open();
  boxes[0].on('message', () => door.promise);
  server.push('in hand');
  await browser.advance(0);
  browser.delay = () => 50;
  const joining = browser.tab().letterbox(ALICE);
  await browser.advance(20);
  door.resolve();
  await browser.advance(0);
  server.push('joining');
  await browser.advance(1000);
  assert.deepEqual(joining.got.filter((data) => data === 'old'), []);
  assert.deepEqual(joining.got.at(-1), 'joining');
  assert.deepEqual(boxes[0].got, ['old', 'in hand', 'joining']);
  assert.deepEqual(joining.log, ['open']);
});

test('a tab that comes while the leader has a message in hand gets it too', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 1);
  boxes[0].on('message', () => open().promise);
  server.push('x');
  await browser.advance(0);
  const joining = browser.tab().letterbox(ALICE);
  await browser.advance(0);
  assert.deepEqual(joining.got, ['x']);
  assert.deepEqual(boxes[0].got, ['x']);
});

test('all messages of a leader that is slow reach the others in order, and once', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 3);
  boxes[0].on('message', async () => { await settle(); });
  for (let data = 0; data < 20; ++data) server.push(data);
  await browser.advance(1000);
  const all = Array.from({ length: 20 }, (_, data) => data);
  assert.deepEqual(boxes.map(({ got }) => got), [all, all, all]);
});

test('a handler that fails in a tab that follows gets the message again there, and holds up no other tab', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2);
  let bad = true;
  const done = [];
  boxes[1].on('message', ({ data }) => {
    if (data === 1 && bad) throw new Error('no');
    done.push(data);
  });
  server.push(1);
  server.push(2);
  await browser.advance(100);
  assert.deepEqual(boxes[0].got, [1, 2]);
  assert.equal(boxes[0].cursor, server.id(2));
  assert.deepEqual(done, []);
  assert.deepEqual(boxes[1].log, ['open', 'error handler']);
  bad = false;
  await browser.advance(1000);
  assert.deepEqual(done, [1, 2]);
  assert.deepEqual(boxes[0].log, ['open']);
});

test('a handler that fails in the leader has the message fetched again, and the others get it once', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2);
  let bad = true;
  boxes[0].on('message', () => {
    if (bad) throw new Error('no');
  });
  server.push('x');
  await browser.advance(400);
  bad = false;
  await browser.advance(5000);
  assert.deepEqual(boxes[0].got, ['x', 'x']);
  assert.deepEqual(boxes[1].got, ['x']);
  assert.equal(boxes[1].cursor, server.id(1));
});

test('a failing tab that takes over acknowledges what others had acknowledged before, and tries its own again', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2);
  let bad = true;
  boxes[1].on('message', () => {
    if (bad) throw new Error('no');
  });
  server.push('x');
  await browser.advance(0);
  tabs[0].close();
  await browser.advance(2000);
  bad = false;
  await browser.advance(10_000);
  const tries = boxes[1].got.length;
  assert.ok(tries >= 2);
  assert.equal(boxes[1].cursor, server.id(1));
  server.push('y');
  await browser.advance(0);
  assert.equal(boxes[1].got.at(-1), 'y');
});

test('missed, reset, errors and the way back reach all tabs', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2);
  server.instead(answer({ cursor: server.id(0), missed: 2, reset: true }), refusal(502, 'away'));
  server.endAll('timeout');
  await browser.advance(5000);
  assert.deepEqual(boxes[0].log, ['open', 'reset', 'missed 2', 'error away', 'open']);
  assert.deepEqual(boxes[1].log, boxes[0].log);
});

test('a terminal error stops all tabs, and each says why', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 3);
  server.instead(refusal(403, 'locked', { terminal: true }));
  server.endAll('timeout');
  await browser.advance(600_000);
  for (const { log, closed } of boxes) {
    assert.deepEqual(log, ['open', 'error locked terminal', 'close locked']);
    assert.equal(closed, true);
  }
  assert.equal(server.polls.length, 2 + looks());
});

test('superseded stops all tabs: none takes over to fight with the other reader', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2, { client: 'desk' });
  server.endAll('superseded', 1500);
  await browser.advance(1500);
  assert.deepEqual(boxes.map(({ log }) => log), [['open'], ['open']]); // once it may have been a tab of this browser
  server.endAll('superseded', 1500);
  await browser.advance(600_000);
  assert.deepEqual(boxes[0].log, ['open', 'superseded', 'close superseded']);
  assert.deepEqual(boxes[1].log, ['open', 'close superseded']);
  assert.equal(server.polls.length, 2 + looks());
});

test('a tab that takes over before it hears that the leader was superseded stops as well', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2, { client: 'desk' });
  server.endAll('superseded', 1500);
  await browser.advance(1500);
  const slow = [1000]; // the news of its end is slower than the lock
  browser.delay = () => slow.shift() ?? 0;
  server.endAll('superseded', 1500);
  await browser.advance(100);
  assert.equal(boxes[1].leading, true);
  await browser.advance(600_000);
  assert.deepEqual(boxes[1].log, ['open', 'close superseded']);
  assert.equal(server.parked, 0);
});

test('by hand: an acknowledgement of any tab counts', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2, { ack: 'manual' });
  let message;
  boxes[1].on('message', (event) => void (message = event));
  server.push('x');
  await browser.advance(1000);
  assert.equal(boxes[0].cursor, '0');
  message.ack();
  await browser.advance(1000);
  assert.equal(boxes[0].cursor, server.id(1));
  assert.equal(boxes[1].cursor, server.id(1));
  assert.equal(server.told, server.id(1));
});

test('by hand: an acknowledgement that no leader heard is heard by the next one, and no message is given twice', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 3, { ack: 'manual' });
  let message;
  boxes[2].on('message', (event) => void (message = event));
  server.push('x');
  await browser.advance(0);
  browser.delay = () => 100;
  tabs[0].crash();
  message.ack();
  await browser.advance(2000);
  assert.equal(boxes[1].leading, true);
  assert.equal(boxes[1].cursor, server.id(1));
  assert.deepEqual(boxes.slice(1).map(({ got }) => got), [['x'], ['x']]);
});

test('by hand: the acknowledgement of a tab that heard the message last of all is not lost', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2, { ack: 'manual' });
  boxes[1].on('message', (event) => void event.ack());
  browser.delay = () => 200;
  server.push('x');
  await browser.advance(100);
  tabs[0].crash();
  await browser.advance(2000);
  assert.deepEqual(boxes[1].got, ['x']);
  assert.equal(boxes[1].cursor, server.id(1));
});

test('a tab that was left and fetched back is told how many messages it missed', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2);
  tabs[0].fire('pagehide', { persisted: true });
  await browser.advance(1000);
  assert.equal(boxes[1].leading, true);
  for (const data of [1, 2]) {
    server.push(data);
    await browser.advance(0);
  }
  tabs[0].fire('pageshow', { persisted: true });
  await browser.advance(0);
  server.push(3);
  await browser.advance(0);
  assert.deepEqual(boxes[0].log, ['open', 'missed 2', 'open']);
  assert.deepEqual(boxes[0].got, [3]);
  assert.deepEqual(boxes[1].got, [1, 2, 3]);
});

test('a leader that was left in the middle of a handler does not put the cursor back when that ends', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2);
  const door = open();
  boxes[0].on('message', () => door.promise);
  server.push(1);
  await browser.advance(0);
  tabs[0].fire('pagehide', { persisted: true });
  await browser.advance(500);
  server.push(2);
  await browser.advance(0);
  tabs[0].fire('pageshow', { persisted: true });
  await browser.advance(0);
  door.resolve();
  await browser.advance(0);
  assert.deepEqual(boxes.map(({ cursor }) => cursor), [server.id(2), server.id(2)]);
  assert.ok(browser.localStorage.values()[0].includes(server.id(2)));
});

test('messages that all tabs missed, a tab that was left missed too', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2);
  tabs[0].fire('pagehide', { persisted: true });
  await browser.advance(1000);
  server.instead(answer({ cursor: server.id(0), missed: 7 }));
  server.endAll('timeout');
  await browser.advance(1000);
  server.push('x');
  await browser.advance(1000);
  tabs[0].fire('pageshow', { persisted: true });
  await browser.advance(0);
  assert.deepEqual(boxes[1].log, ['open', 'missed 7']);
  assert.deepEqual(boxes[0].log, ['open', 'missed 8', 'open']);
});

test('a single tab that was left misses nothing', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 1);
  tabs[0].fire('pagehide', { persisted: true });
  for (const data of [1, 2]) server.push(data);
  tabs[0].fire('pageshow', { persisted: true });
  await browser.advance(1000);
  assert.deepEqual(boxes[0].log, ['open', 'open']);
  assert.deepEqual(boxes[0].got, [1, 2]);
});

test('offline and online in all tabs: the leader polls at once, the others follow', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2);
  browser.random = () => 0.999;
  await browser.goOffline();
  assert.deepEqual(boxes.map(({ states }) => states.at(-1).split(' ')[0]), ['offline', 'offline']);
  server.push('meanwhile');
  await browser.goOnline();
  await browser.advance(0);
  assert.deepEqual(boxes.map(({ got }) => got), [['meanwhile'], ['meanwhile']]);
  assert.deepEqual(boxes.map(({ states }) => states.at(-1)), [waits(), 'following']);
  assert.deepEqual(boxes.map(({ log }) => log), [['open', 'open'], ['open', 'open']]);
});

test('a duplicated tab that does not share makes up a name, keeps the cursor, and both go on', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const box = tab.letterbox({ share: false });
  await browser.advance(500);
  browser.server.push(1);
  await browser.advance(0);
  const copy = tab.duplicate().letterbox({ share: false });
  assert.equal(copy.client, box.client);
  await browser.advance(5000);
  assert.notEqual(copy.client, box.client);
  browser.server.push(2);
  await browser.advance(0);
  assert.deepEqual(box.got, [1, 2]);
  assert.deepEqual(copy.got, [2]);
  assert.ok([...box.log, ...copy.log].every((said) => said === 'open'));
  assert.equal(browser.server.parked, 2);
});

test('with storage blocked tabs that can talk still share', async () => {
  const browser = new Browser();
  browser.without.add('storage');
  const tabs = [browser.tab(), browser.tab()];
  const boxes = tabs.map((tab) => tab.letterbox(ALICE));
  await browser.advance(500);
  browser.server.push(1);
  await browser.advance(0);
  tabs[0].crash();
  browser.server.push(2);
  await browser.advance(500);
  assert.deepEqual(boxes[1].got, [1, 2]);
  assert.equal(readers(browser.server).size, 1);
});

/**
 * Tabs come, close, crash and reload at random moments while messages are pushed, handlers take
 * their time, and what tabs say to each other is on its way for up to 30 ms.
 */
async function turmoil(seed) {
  const random = dice(seed);
  const browser = new Browser();
  browser.random = random;
  browser.delay = () => Math.floor(random() * 30);
  const open = new Map(); // tab → { box, from: the first message that it must get }
  let pushed = 0;
  const come = () => {
    const tab = browser.tab();
    const box = tab.letterbox({ ...ALICE, timeout: 1 });
    const entry = { box, from: undefined };
    box.on('open', () => (entry.from ??= pushed));
    box.on('message', () => new Promise((resolve) => browser.clock.setTimeout(resolve, Math.floor(random() * 40))));
    open.set(tab, entry);
  };
  const go = (how) => {
    const tab = [...open.keys()][Math.floor(random() * open.size)];
    open.delete(tab);
    tab[how]();
  };
  come();
  for (let step = 0; step < 120; ++step) {
    const die = random();
    if (die < 0.5) browser.server.push(pushed++);
    else if (die < 0.65 && open.size < 6) come();
    else if (die < 0.72 && open.size > 1) go('crash');
    else if (die < 0.8 && open.size > 1) go('close');
    await browser.advance(Math.floor(random() * 60));
  }
  await browser.advance(20_000);
  for (const { box, from } of open.values()) {
    assert.notEqual(from, undefined, `seed ${seed}: a tab was never open`);
    assert.equal(new Set(box.got).size, box.got.length, `seed ${seed}: doubled in ${box.got}`);
    const due = Array.from({ length: pushed - from }, (_, index) => from + index);
    const lost = due.filter((data) => !box.got.includes(data));
    assert.deepEqual(lost, [], `seed ${seed}: lost of ${due}`);
    assert.equal(box.cursor, browser.server.id(pushed), `seed ${seed}`);
  }
  assert.equal([...open.values()].filter(({ box }) => box.leading).length, 1);
  assert.equal(browser.server.parked, 1);
}

test('tabs that come, close and crash at random moments lose nothing and double nothing', async () => {
  for (let seed = 1; seed <= 20; ++seed) await turmoil(seed);
});
