// SPDX-License-Identifier: MIT
//
// A leader that is stopped: an alert() is open in its tab, a debugger has stopped it, or the
// browser has frozen it. Another tab leads then, and nothing is lost or given twice.

import assert from 'node:assert/strict';
import { Browser, tabsOf } from './browser.mjs';
import { settle } from './clock.mjs';
import { dice } from './dice.mjs';
import { refusal } from './server.mjs';
import { present, test } from './transports.mjs';

const ALICE = { user: 'alice' };
const QUIET = 25_000 + 15_000; // a poll, or handlers, and the grace

const leaders = (boxes) => boxes.map(({ leading }) => leading);

function orders(things) {
  if (things.length < 2) return [things];
  return things.flatMap((first) => orders(things.filter((thing) => thing !== first)).map((rest) => [first, ...rest]));
}

test('a visible tab takes over from a leader that is stopped, 15 s after it should have been heard', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2);
  tabs[0].freeze();
  server.push('x');
  // (A follower hears of each ping of a stream.)
  await browser.advance((present.transport === 'poll' ? QUIET : 20_000 + 15_000) - 501);
  assert.deepEqual(boxes.map(({ got }) => got), [[], []]);
  await browser.advance(2);
  assert.equal(boxes[1].leading, true);
  assert.deepEqual(boxes[1].got, ['x']);
  assert.deepEqual(boxes[1].log, ['open']);
});

test('a hidden tab leaves it to the leader, and takes over a second after it is looked at', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2);
  tabs[1].look('hidden');
  tabs[0].freeze();
  server.push('x');
  await browser.advance(10 * QUIET);
  assert.equal(boxes[1].leading, false);
  tabs[1].look('visible');
  await browser.advance(1000);
  assert.equal(boxes[1].leading, true);
  assert.deepEqual(boxes[1].got, ['x']);
});

test('a leader that polls, or waits for as long as the server said, is never taken for one that is stopped', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 3);
  await browser.advance(20 * QUIET);
  server.instead(refusal(503, 'overloaded', { retry_after_ms: 600_000 }));
  server.endAll('timeout');
  await browser.advance(300_000);
  const { length } = server.polls;
  const late = browser.tab().letterbox({ user: 'alice' });
  await browser.advance(200_000);
  assert.equal(server.polls.length, length);
  await browser.advance(200_000);
  assert.deepEqual(leaders([...boxes, late]), [true, false, false, false]);
});

for (const order of orders(['timers', 'network', 'channels', 'locks']))
  test(`a leader that wakes follows, loses nothing and doubles nothing, whatever it notices first: ${order.join(', ')}`, async () => {
    const { browser, tabs, boxes, server } = await tabsOf(ALICE, 3, { client: 'desk' });
    server.push(1);
    await browser.advance(0);
    tabs[0].freeze();
    server.push(2); // is on its way to the leader
    await browser.advance(QUIET + 1000);
    server.push(3);
    await browser.advance(100);
    await tabs[0].thaw(order);
    await browser.advance(1000);
    server.push(4);
    await browser.advance(1000);
    assert.deepEqual(boxes.map(({ got }) => got), Array(3).fill([1, 2, 3, 4]));
    assert.deepEqual(boxes.map(({ log }) => log), [['open'], ['open'], ['open']]);
    assert.equal(leaders(boxes).filter(Boolean).length, 1);
    assert.equal(boxes[0].leading, false);
    assert.equal(server.parked, 1);
    assert.deepEqual(boxes.map(({ cursor }) => cursor), Array(3).fill(server.id(4)));
  });

for (const order of orders(['timers', 'network', 'channels', 'locks']))
  test(`a superseded poll of the stopped leader does not end it: ${order.join(', ')}`, async () => {
    const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2, { client: 'desk' });
    tabs[0].freeze();
    await browser.advance(2000);
    server.endAll('superseded', 1500);
    await browser.advance(QUIET);
    assert.equal(boxes[1].leading, true);
    await tabs[0].thaw(order);
    await browser.advance(60_000);
    assert.deepEqual(boxes.map(({ log }) => log), [['open'], ['open']]);
    assert.equal(server.parked, 1);
  });

for (const order of orders(['timers', 'channels', 'locks']))
  test(`an alert() in a handler: that tab’s messages in hand are handled once there, and the others go on: ${order.join(', ')}`, async () => {
    const { browser, tabs, boxes, server } = await tabsOf(ALICE, 3);
    const done = [];
    boxes[0].on('message', async ({ data }) => {
      if (data === 1) {
        tabs[0].freeze();
        await tabs[0].thawed;
      }
      done.push(data);
    });
    server.push(1);
    server.push(2);
    await browser.advance(QUIET + 1000);
    assert.deepEqual(done, []);
    assert.equal(boxes[1].leading || boxes[2].leading, true);
    assert.deepEqual(boxes.slice(1).map(({ got }) => got), [[1, 2], [1, 2]]);
    server.push(3);
    await browser.advance(1000);
    const before = server.polls.length;
    await tabs[0].thaw(order);
    await browser.advance(1000);
    assert.deepEqual(done, [1, 2, 3]);
    assert.equal(server.polls.length, before, 'it does not poll while the other does');
    assert.equal(server.parked, 1);
    assert.deepEqual(boxes.map(({ cursor }) => cursor), Array(3).fill(server.id(3)));
  });

for (const order of orders(['timers', 'channels', 'locks']))
  test(`a handler that fails as its tab wakes gets its message again there: ${order.join(', ')}`, async () => {
    const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2);
    const done = [];
    let slept = false;
    boxes[0].on('message', async ({ data }) => {
      if (data === 1 && !slept) {
        slept = true;
        tabs[0].freeze();
        await tabs[0].thawed;
        throw new Error('no');
      }
      done.push(data);
    });
    server.push(1);
    server.push(2);
    await browser.advance(QUIET + 1000);
    await tabs[0].thaw(order);
    await browser.advance(10_000);
    assert.deepEqual(done, [1, 2]);
    assert.deepEqual(boxes[1].got, [1, 2]);
    assert.deepEqual(boxes.map(({ cursor }) => cursor), [server.id(2), server.id(2)]);
  });

test('a handler that takes long does not hold up the other tabs: a visible one goes on', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2);
  boxes[0].on('message', () => new Promise(() => {})); // until a click
  server.push(1);
  await browser.advance(QUIET + 1000);
  server.push(2);
  await browser.advance(1000);
  assert.deepEqual(boxes[1].got, [1, 2]);
  assert.equal(boxes[1].leading, true);
  assert.deepEqual(boxes[0].got, [1], 'one after the other');
  assert.equal(boxes[1].cursor, server.id(2));
});

test('nothing is acknowledged for a tab that took over before its own handlers are done', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 2);
  let finish;
  boxes[1].on('message', () => new Promise((resolve) => (finish = resolve)));
  boxes[0].on('message', () => tabs[0].thawed);
  tabs[0].freeze();
  server.push(1);
  await browser.advance(QUIET + 1000);
  assert.equal(boxes[1].leading, true);
  assert.deepEqual(boxes[1].got, [1]);
  assert.equal(server.told, '0');
  finish();
  await browser.advance(1000);
  assert.equal(server.told, server.id(1));
});

test('a single tab that was stopped, or slept with the machine, goes on', async () => {
  const { browser, tabs, boxes, server } = await tabsOf(ALICE, 1);
  tabs[0].freeze();
  server.push(1);
  browser.clock.sleep(3_600_000);
  await browser.advance(60_000);
  await tabs[0].thaw();
  await browser.advance(1000);
  assert.deepEqual(boxes[0].got, [1]);
  assert.deepEqual(boxes[0].log, ['open']);
  assert.equal(server.parked, 1);
});

test('if its lock is taken from a healthy leader both go on', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2, { client: 'desk' });
  const [name] = browser.localStorage.keys();
  // Another page of this origin, which holds the lock for a moment.
  browser.tab().window.navigator.locks.request(name, { steal: true }, () => {});
  await browser.advance(1000);
  server.push(1);
  await browser.advance(1000);
  assert.deepEqual(boxes.map(({ got }) => got), [[1], [1]]);
  assert.deepEqual(boxes.map(({ log }) => log), [['open'], ['open']]);
  assert.equal(leaders(boxes).filter(Boolean).length, 1);
});

test('by hand: a message that is not acknowledged for long stays, and is given once', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 3, { ack: 'manual' });
  const messages = [];
  boxes[2].on('message', (message) => void messages.push(message));
  server.push('x');
  await browser.advance(5 * QUIET);
  assert.deepEqual(boxes.map(({ got }) => got), [['x'], ['x'], ['x']]);
  assert.deepEqual(boxes.map(({ cursor }) => cursor), ['0', '0', '0']);
  messages[0].ack();
  await browser.advance(1000);
  assert.deepEqual(boxes.map(({ cursor }) => cursor), Array(3).fill(server.id(1)));
  assert.equal(server.told, server.id(1));
});

test('two machines that were one, with the same made-up name, both go on under names of their own', async () => {
  const { browser, boxes, server } = await tabsOf(ALICE, 2);
  const { client } = boxes[0];
  server.endAll('superseded', 1500);
  await browser.advance(2000);
  assert.notEqual(boxes[0].client, client);
  server.push('x');
  await browser.advance(0);
  assert.deepEqual(boxes.map(({ got }) => got), [['x'], ['x']]);
  assert.equal(boxes[1].client, boxes[0].client);
});

/** Four tabs stop and wake, are hidden and looked at, at random moments; handlers take their time, some fail. */
async function turmoil(seed) {
  const random = dice(seed);
  const pick = (things) => things[Math.floor(random() * things.length)];
  const browser = new Browser();
  browser.random = random;
  browser.delay = () => Math.floor(random() * 30);
  const tabs = [1, 2, 3, 4].map(() => browser.tab());
  const boxes = tabs.map((tab) => tab.letterbox({ user: 'alice', client: 'desk', timeout: 1 }));
  const done = boxes.map(() => []);
  const frozen = new Set();
  for (const [index, box] of boxes.entries())
    box.on('message', async ({ data }) => {
      await new Promise((resolve) => browser.clock.setTimeout(resolve, Math.floor(random() * 2000)));
      if (frozen.has(tabs[index])) await tabs[index].thawed;
      if (random() < 0.05) throw new Error('no');
      done[index].push(data);
    });
  await browser.advance(1000);
  let pushed = 0;
  const thaw = (tab) => (frozen.delete(tab), tab.thaw(pick(orders(['timers', 'network', 'channels', 'locks']))));
  for (let step = 0; step < 100; ++step) {
    const die = random();
    const tab = pick(tabs);
    if (die < 0.4) browser.server.push(pushed++);
    else if (die < 0.6 && frozen.size < 3 && !frozen.has(tab)) frozen.add(tab), tab.freeze();
    else if (die < 0.8 && frozen.has(tab)) await thaw(tab);
    else if (die < 0.9) tab.look(pick(['visible', 'hidden']));
    await browser.advance(Math.floor(random() * 5000));
  }
  for (const tab of [...frozen]) await thaw(tab);
  await browser.advance(200_000);
  const all = Array.from({ length: pushed }, (_, data) => data);
  for (const [index, box] of boxes.entries()) {
    // The last message that a leader passes on may arrive after the first that its successor has
    // fetched.
    assert.deepEqual(done[index].sort((one, other) => one - other), all, `seed ${seed}, tab ${index}`);
    assert.equal(box.cursor, browser.server.id(pushed), `seed ${seed}, tab ${index}`);
    assert.deepEqual(box.log.filter((said) => /close|superseded|missed|reset/.test(said)), [], `seed ${seed}, tab ${index}`);
  }
  assert.equal(leaders(boxes).filter(Boolean).length, 1, `seed ${seed}`);
  assert.ok(browser.server.parked <= 1, `seed ${seed}: ${browser.server.parked} polls`);
}

test('tabs that stop and wake at random moments lose nothing and double nothing', async () => {
  for (let seed = 1; seed <= 20; ++seed) await turmoil(seed);
});
