// SPDX-License-Identifier: MIT
//
// A network that goes, a machine that sleeps, a page that is left and fetched back.

import assert from 'node:assert/strict';
import { Browser } from './browser.mjs';
import { refusal } from './server.mjs';
import { looks, present, test, testOfPolls, waits } from './transports.mjs';

async function started(options = {}) {
  const browser = new Browser();
  const tab = browser.tab();
  const box = tab.letterbox({ share: false, ...options });
  await browser.advance(500);
  return { browser, tab, box, server: browser.server };
}

testOfPolls('a poll without an answer is dropped 15 s after its time, and begun again at once', async () => {
  const { browser, box, server } = await started();
  server.network = 'silent';
  server.endAll('timeout');
  await browser.advance(500);
  const parked = browser.server.polls.at(-1);
  assert.equal(parked.query.timeout, '25');
  await browser.advance(39_999);
  assert.equal(parked.aborted, undefined);
  browser.server.network = 'up';
  await browser.advance(10_000);
  assert.equal(parked.aborted, true);
  assert.equal(browser.server.parked, 1);
  assert.deepEqual(box.log, ['open']);
});

test('a poll that slept with the machine is dropped when it wakes, and begun again at once', async () => {
  const { browser, box, server } = await started();
  server.network = 'silent'; // the connection died in its sleep
  await browser.advance(1000);
  browser.clock.sleep(8 * 3_600_000);
  server.network = 'up';
  await browser.advance(10_000);
  assert.equal(server.polls[looks()].aborted, true);
  assert.equal(server.polls.length, 2 + looks());
  server.push('morning');
  await browser.advance(0);
  assert.deepEqual(box.got, ['morning']);
  assert.deepEqual(box.log, ['open']);
});

test('a short sleep counts too, though the poll is not yet too old', async () => {
  const { browser, server } = await started({ timeout: 50 });
  browser.clock.sleep(20_000);
  await browser.advance(10_000);
  assert.equal(server.polls[looks()].aborted, true);
  assert.equal(server.polls.length, 2 + looks());
});

test('a clock that is put back does not keep a dead poll alive', async () => {
  const { browser, server } = await started();
  browser.clock.sleep(-3_600_000);
  await browser.advance(10_000);
  assert.equal(server.polls[looks()].aborted, true);
  assert.equal(server.polls.length, 2 + looks());
});

test('a timer that is a little late is no sleep', async () => {
  const { browser, server } = await started();
  browser.clock.sleep(10_000);
  await browser.advance(10_000);
  assert.equal(server.polls.length, 1 + looks());
});

test('a connection that breaks as the machine wakes is no error: the poll is begun again at once', async () => {
  const { browser, box, server } = await started();
  browser.clock.sleep(3_600_000);
  server.cutAll();
  await browser.advance(0);
  assert.equal(server.polls.length, 2 + looks());
  assert.deepEqual(box.log, ['open']);
});

test('a connection that breaks while the machine is awake is an error', async () => {
  const { browser, box, server } = await started();
  server.cutAll();
  await browser.advance(499);
  assert.deepEqual(box.log, ['open', 'error network']);
  assert.equal(server.polls.length, 1 + looks());
  await browser.advance(1);
  assert.deepEqual(box.log, ['open', 'error network', 'open']);
});

test('"offline" ends a poll, "online" begins one at once', async () => {
  const { browser, box, server } = await started();
  browser.random = () => 0.999;
  await browser.goOffline();
  assert.equal(server.polls[looks()].aborted, true);
  assert.equal(box.states.at(-1).split(' ')[0], 'offline');
  await browser.goOnline();
  await browser.advance(0);
  assert.deepEqual(server.polls.slice(1 + looks()).map(({ query }) => query.timeout), present.transport === 'poll' ? ['0', '25'] : [undefined]);
  server.push('back');
  await browser.advance(500);
  assert.deepEqual(box.got, ['back']);
  assert.deepEqual(box.log, ['open', 'open']);
});

test('a page that is looked at again ends its back-off and tries at once, once', async () => {
  const { browser, tab, box, server } = await started();
  browser.random = () => 0.999;
  server.network = 'down';
  server.endAll('timeout');
  await browser.advance(100_000); // in a wait of a minute
  const { length } = server.polls;
  tab.look('hidden');
  await browser.advance(0);
  assert.equal(server.polls.length, length);
  tab.look('visible');
  await browser.advance(1000);
  assert.equal(server.polls.length, length + 1);
  server.network = 'up';
  tab.look('visible');
  await browser.advance(0);
  assert.equal(box.log.at(-1), 'open');
  assert.equal(server.parked, 1);
});

test('if a tab that shares is looked at, the tab that polls tries at once', async () => {
  const { browser, tab, server } = await started({ share: true, user: 'alice' });
  browser.random = () => 0.999;
  tab.look('hidden');
  const other = browser.tab();
  const box = other.letterbox({ user: 'alice' });
  await browser.advance(0);
  server.network = 'down';
  server.endAll('timeout');
  await browser.advance(100_000);
  const { length } = server.polls;
  server.network = 'up';
  other.look('visible');
  await browser.advance(0);
  assert.equal(server.polls[length].at, browser.clock.running);
  assert.equal(box.log.at(-1), 'open');
  assert.equal(box.leading, false);
});

test('being looked at ends no wait that the server asked for, and only the rest of a longer one', async () => {
  const { browser, tab, server } = await started();
  browser.random = () => 0.999;
  const away = refusal(502, 'away', { retry_after_ms: 5000 });
  server.instead(...Array(6).fill(away));
  server.endAll('timeout');
  await browser.advance(50_000); // in a wait of 32 s, of which 5 are the server's
  const { length } = server.polls;
  const since = browser.clock.running - server.polls[length - 1].at;
  assert.ok(since > 5000 && since < 20_000, `${since}`);
  tab.look('visible');
  await browser.advance(0);
  assert.equal(server.polls[length].at, browser.clock.running);
  server.instead(refusal(503, 'overloaded', { retry_after_ms: 30_000 }));
  server.endAll('timeout');
  await browser.advance(500);
  const again = server.polls.length;
  tab.look('visible');
  await browser.advance(20_000);
  assert.equal(server.polls.length, again);
});

test('a browser that wrongly says it is offline is not believed for long', async () => {
  const { browser, tab, box, server } = await started();
  tab.fire('offline');
  await browser.advance(2000);
  assert.equal(server.parked, 1);
  assert.equal(box.states.at(-1), waits());
});

test('while it is offline it tries less and less often', async () => {
  const { browser, box, server } = await started();
  await browser.goOffline();
  await browser.advance(600_000);
  assert.ok(server.polls.length > 5 && server.polls.length < 25, `${server.polls.length}`);
  assert.equal(box.states.at(-1).split(' ')[0], 'offline');
  await browser.goOnline();
  assert.equal(box.log.at(-1), 'open');
});

test('"online" does not end a wait that the server asked for', async () => {
  const { browser, tab, server } = await started();
  server.instead(refusal(503, 'store_unavailable', { retry_after_ms: 30_000 }));
  server.endAll('timeout');
  await browser.advance(600);
  tab.fire('online');
  await browser.advance(20_000);
  assert.equal(server.polls.length, 2 + looks());
  await browser.advance(10_000);
  assert.equal(server.parked, 1);
});

test('"online" ends a wait for the network', async () => {
  const browser = new Browser();
  browser.server.network = 'down';
  browser.random = () => 0.999999;
  const tab = browser.tab();
  const box = tab.letterbox({ share: false });
  await browser.advance(100_000); // in a wait of 64 s
  const { length } = browser.server.polls;
  await browser.goOnline();
  assert.equal(browser.server.polls[length].at, browser.clock.running);
  assert.equal(box.log.at(-1), 'open');
});

for (const share of [false, true])
  test(`a page that was left does not poll, and goes on when it is fetched back (share: ${share})`, async () => {
    const { browser, tab, box, server } = await started({ share });
    server.push('before');
    await browser.advance(0);
    tab.fire('pagehide', { persisted: true });
    await browser.advance(60_000);
    assert.equal(server.parked, 0);
    server.push('meanwhile');
    tab.fire('pageshow', { persisted: true });
    await browser.advance(1000);
    assert.deepEqual(box.got, ['before', 'meanwhile']);
    assert.equal(server.parked, 1);
    assert.deepEqual(box.log, ['open', 'open']);
  });

test('the first "pageshow" of a page, and "online" without need, change nothing', async () => {
  const { browser, tab, server } = await started();
  tab.fire('pageshow', { persisted: false });
  tab.fire('pageshow', { persisted: true });
  tab.fire('online');
  await browser.advance(1000);
  assert.equal(server.polls.length, 1 + looks());
});

test('an answer that comes after the machine slept counts', async () => {
  const { browser, box, server } = await started();
  browser.clock.sleep(3_600_000);
  server.push('in time');
  await browser.advance(500);
  assert.deepEqual(box.got, ['in time']);
});

test('a token that never comes does not stop it for ever', async () => {
  let turn = 0;
  const { browser, box, server } = await started({ token: () => (++turn === 2 ? new Promise(() => {}) : 't') });
  await browser.advance(60_000);
  server.push('x');
  await browser.advance(500);
  assert.deepEqual(box.got, ['x']);
});

test('a closed Letterbox ignores the page\'s events', async () => {
  const { browser, tab, box, server } = await started();
  box.close();
  tab.fire('pagehide', { persisted: true });
  tab.fire('pageshow', { persisted: true });
  await browser.goOffline();
  await browser.goOnline();
  await browser.advance(60_000);
  assert.equal(server.polls.length, 1 + looks());
  assert.equal(box.states.at(-1), 'closed');
});
