// SPDX-License-Identifier: MIT
//
// When it polls, what it sends, when it waits, when it stops.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, stopped, toldWhenRefused, troubles } from './browser.mjs';
import { answer, page, refusal } from './server.mjs';

const ALONE = { share: false };

/** A tab of a new browser with a Letterbox that does not share, past its first look. */
async function started(options = {}) {
  const browser = new Browser();
  const tab = browser.tab();
  const box = tab.letterbox({ ...ALONE, ...options });
  await browser.advance(500);
  return { browser, tab, box, server: browser.server };
}

/** The waits before the requests, from the one with this index on. */
function gaps(requests, from = 1) {
  return requests.slice(from).map(({ at }, index) => at - requests[from + index - 1].at);
}

test('it looks first, so that the page knows at once, and then has its polls held', async () => {
  const { box, server } = await started();
  assert.deepEqual(server.polls.map(({ query }) => query.timeout), ['0', '25']);
  assert.deepEqual(box.log, ['open']);
  assert.equal(server.parked, 1);
});

test('it polls again at once after messages', async () => {
  const { browser, box, server } = await started();
  server.push('one');
  await browser.advance(0);
  server.push('two');
  await browser.advance(0);
  assert.deepEqual(box.got, ['one', 'two']);
  assert.deepEqual(gaps(server.polls, 3), [0]);
  assert.equal(server.polls[2].at, 500);
  assert.equal(server.parked, 1);
});

test('it polls again at once after an empty answer to a poll that was held, and later if the server says so', async () => {
  const { browser, server } = await started();
  await browser.advance(1500);
  server.endAll('timeout', 0);
  await browser.advance(0);
  assert.deepEqual(gaps(server.polls), [0, 2000]);
  server.endAll('timeout', 2000);
  await browser.advance(1999);
  assert.equal(server.polls.length, 3);
  await browser.advance(1);
  assert.equal(server.polls.length, 4);
});

test('it polls again only 500 ms after an empty answer to a poll that was not held: proxies may answer at once', async () => {
  const browser = new Browser();
  browser.server.instead(...Array(1000).fill(answer({})));
  browser.tab().letterbox(ALONE);
  await browser.advance(60_000);
  const [first, ...waits] = gaps(browser.server.polls);
  assert.equal(first, 0); // the look, which is not held
  assert.deepEqual(new Set(waits), new Set([500]));
});

test('with a timeout of 0 it makes no hot loop', async () => {
  const { browser, server } = await started({ timeout: 0 });
  await browser.advance(10_000);
  assert.deepEqual(new Set(gaps(server.polls)), new Set([500]));
});

test('after an answer that does not move the cursor it does not poll at once, whatever its messages', async () => {
  const { browser, server } = await started();
  const stuck = { count: 1, messages: [{ id: 'x', type: 'message', data: 1, time: 1 }], cursor: 'x', reason: 'messages' };
  server.instead(answer(stuck), answer(stuck), answer(stuck));
  server.endAll('timeout');
  await browser.advance(5000);
  const [, , ...waits] = gaps(server.polls, 2);
  assert.ok(waits.length >= 2 && waits.every((wait) => wait >= 500), `${waits}`);
});

test('after shutdown it waits as long as the answer says', async () => {
  const { browser, server } = await started();
  server.endAll('shutdown', 7300);
  await browser.advance(7299);
  assert.equal(server.polls.length, 2);
  await browser.advance(1);
  assert.equal(server.polls.length, 3);
});

test('a poll is never cached, carries cursor and client in its address, and the token only in a header', async () => {
  const { server } = await started({ token: 'alice.s3cret', client: 'phone+1', after: '5-1', timeout: 40 });
  const [first, second] = server.polls;
  assert.equal(first.origin, 'https://example.org');
  assert.equal(first.path, '/poll');
  assert.equal(first.method, 'GET');
  assert.equal(first.cache, 'no-store');
  assert.equal(first.credentials, 'include');
  assert.deepEqual(first.headers, { Authorization: 'Bearer alice.s3cret' });
  assert.deepEqual(first.query, { client: 'phone+1', after: '5-1', timeout: '0' });
  assert.equal(second.query.timeout, '40');
});

test('without a token there is no such header, and a user is named if one is given', async () => {
  const { server } = await started({ user: 'bob' });
  assert.deepEqual(server.polls[0].headers, {});
  assert.equal(server.polls[0].query.user, 'bob');
});

test('a function is asked for the token before each poll', async () => {
  let turn = 0;
  const { browser, server } = await started({ token: async () => `t${++turn}` });
  server.push('x');
  await browser.advance(0);
  assert.deepEqual(server.polls.map(({ headers }) => headers.Authorization), ['Bearer t1', 'Bearer t2', 'Bearer t3']);
});

for (const code of ['bad_token', 'no_identity'])
  test(`a token that is refused (${code}) is asked for once more, and the page hears nothing of it`, async () => {
    const asked = [];
    const token = ({ refused }) => (asked.push(refused), refused ? 'new' : 'old');
    const { browser, box, server } = await started({ token });
    server.instead(refusal(401, code, { terminal: true }));
    server.endAll('timeout');
    await browser.advance(500);
    assert.deepEqual(asked, [false, false, false, true]);
    assert.equal(server.polls.at(-1).headers.Authorization, 'Bearer new');
    assert.equal(server.parked, 1);
    assert.deepEqual(box.log, ['open']);
  });

test('a token that is refused twice in a row is the end, and so is a refused token that is not from a function', async () => {
  for (const [token, sent] of [['old', 1], [() => 'old', 2]]) {
    const { browser, box, server } = await started({ token });
    const { length } = server.polls;
    server.instead(...Array(100).fill(refusal(401, 'bad_token', { terminal: true })));
    server.endAll('timeout');
    await browser.advance(600_000);
    assert.equal(server.polls.length - length, sent);
    assert.deepEqual(box.log, ['open', 'error bad_token terminal', 'close bad_token']);
  }
});

test('a function is asked once more also after a token that was good in between was refused', async () => {
  const { browser, box, server } = await started({ token: ({ refused }) => String(refused) });
  for (let turn = 0; turn < 3; ++turn) {
    server.instead(refusal(401, 'bad_token', { terminal: true }));
    server.endAll('timeout');
    await browser.advance(3000);
  }
  assert.deepEqual(box.log, ['open']);
  assert.equal(server.polls.filter(({ headers }) => headers.Authorization === 'Bearer true').length, 3);
});

test('other terminal errors are the end at once: another token would not help', async () => {
  const { browser, box, server } = await started({ token: () => 't' });
  server.instead(refusal(403, 'kicked', { terminal: true }));
  server.endAll('timeout');
  await browser.advance(1000);
  assert.deepEqual(box.log, ['open', 'error kicked terminal', 'close kicked']);
});

for (const token of ['grün 漢', 'a\nb', 'a\0b'])
  test(`a token with a character that a header may not have (${JSON.stringify(token)}) is reported as bad, and not tried for ever`, async () => {
    const { browser, box, server } = await started({ token });
    const all = troubles(box);
    box.open();
    await browser.advance(600_000);
    assert.deepEqual(server.polls, []);
    assert.equal(all[0].code, 'bad_token');
    assert.equal(all[0].terminal, true);
    assert.ok(!all[0].message.includes(token));
  });

test('a line end after the token does no harm', async () => {
  const { server } = await started({ token: 't\n' });
  assert.equal(server.parked, 1);
});

test('an end without a listener for it is reported on the console, once', async () => {
  const { browser, tab, server } = await started();
  for (const deaf of [true, false]) {
    const box = new tab.window.Letterbox({ ...ALONE, client: 'x' });
    if (!deaf) box.addEventListener('close', () => {});
    server.instead(refusal(401, 'no_identity', { terminal: true }));
    await browser.advance(1000);
    assert.equal(box.closed, true);
    assert.deepEqual(tab.window.warned, ['Letterbox has stopped: because: no_identity (no_identity)']);
  }
  const box = new tab.window.Letterbox({ ...ALONE, client: 'y' });
  box.close(); // the page knows
  assert.equal(tab.window.warned.length, 1);
});

test('without global crypto, as in node 18, a name is still made up', async () => {
  const browser = new Browser();
  browser.without.add('crypto');
  const box = browser.tab().letterbox(ALONE);
  await browser.advance(0);
  assert.match(box.client, /^web-[0-9a-v]{10}$/);
  assert.equal(browser.server.polls[0].query.client, box.client);
});

test('a function that has no token is an error that is tried again', async () => {
  let fails = true;
  const token = () => (fails ? Promise.reject(new Error('away')) : 'good');
  const { browser, box, server } = await started({ token });
  assert.equal(box.log[0], 'error token');
  fails = false;
  await browser.advance(10_000);
  assert.equal(box.log.at(-1), 'open');
  assert.equal(server.polls[0].headers.Authorization, 'Bearer good');
});

test('a url may be relative or of another site, which gets the cookies too', async () => {
  const browser = new Browser();
  for (const url of ['push/', 'https://push.example/box?x=1#y']) browser.tab().letterbox({ ...ALONE, url });
  await browser.advance(0);
  const [relative, other] = browser.server.polls;
  assert.equal(relative.path, '/inbox/push/poll');
  assert.equal(relative.credentials, 'include');
  assert.equal(other.origin + other.path, 'https://push.example/box/poll');
  assert.equal(other.credentials, 'include');
});

test('after errors it waits longer and longer: a random part of 1, 2, 4 … s, and at most two minutes', async () => {
  const browser = new Browser();
  browser.random = () => 0.999999;
  browser.server.network = 'down';
  const box = browser.tab().letterbox(ALONE);
  const all = troubles(box);
  await browser.advance(900_000);
  const steps = [1, 2, 4, 8, 16, 32, 64, 120, 120, 120].map((seconds) => seconds * 1000);
  assert.deepEqual(gaps(browser.server.polls).slice(0, 10), steps);
  assert.deepEqual(all.slice(0, 10).map(({ retryIn }) => retryIn), steps);
});

test('the whole of each step is used, so that a crowd comes back spread out', async () => {
  const waits = [];
  for (const part of [0, 0.25, 0.5, 0.75]) {
    const browser = new Browser();
    browser.random = () => part;
    browser.server.instead(page(502), page(502), page(502));
    browser.tab().letterbox(ALONE);
    await browser.advance(10_000);
    waits.push(gaps(browser.server.polls).slice(0, 3));
  }
  assert.deepEqual(waits, [[1, 1, 1], [250, 500, 1000], [500, 1000, 2000], [750, 1500, 3000]]);
});

test('a good answer ends the back-off', async () => {
  const { browser, box, server } = await started();
  const all = troubles(box);
  const away = refusal(502, 'away');
  server.instead(away, away, away, answer({}), away);
  server.endAll('timeout');
  await browser.advance(20_000);
  assert.deepEqual(all.map(({ retryIn }) => retryIn), [500, 1000, 2000, 500]);
  assert.deepEqual(box.log, ['open', 'error away', 'error away', 'error away', 'open', 'error away', 'open']);
});

for (const [what, refused, wait] of [
  ['retry_after_ms', refusal(503, 'store_unavailable', { retry_after_ms: 9000 }), 9000],
  ['Retry-After in seconds', page(503, 'busy', { 'Retry-After': '33' }), 33_000],
  ['Retry-After as a date', page(503, 'busy', { 'Retry-After': 'Thu, 01 Jan 2026 00:01:00 GMT' }), 59_500],
  ['the longer of the two', refusal(503, 'overloaded', { retry_after_ms: 5200, headers: { 'Retry-After': '6' } }), 6000],
])
  test(`an error's ${what} is honoured`, async () => {
    const { browser, box, server } = await started();
    const all = troubles(box);
    server.instead(refused);
    server.endAll('timeout'); // the refusal comes 500 ms later
    await browser.advance(500);
    if (what.endsWith('date')) assert.ok(all[0].retryIn > 58_000 && all[0].retryIn <= 60_000);
    else assert.equal(all[0].retryIn, wait);
    await browser.advance(all[0].retryIn - 1);
    assert.equal(server.polls.length, 3);
    await browser.advance(1);
    assert.equal(server.parked, 1);
  });

test('a Retry-After of many years is a day, since a timer of many years would end at once', async () => {
  const { browser, box, server } = await started();
  const all = troubles(box);
  server.instead(page(503, '', { 'Retry-After': '99999999999999' }));
  server.endAll('timeout');
  await browser.advance(86_000_000);
  assert.deepEqual(all.map(({ retryIn }) => retryIn), [86_400_000]);
  assert.equal(server.polls.length, 3);
});

for (const said of ['soon', '-5', '1e99', ''])
  test(`a Retry-After that is nonsense ("${said}") makes no hot loop`, async () => {
    const browser = new Browser();
    browser.server.instead(...Array(100).fill(page(503, '', { 'Retry-After': said })));
    browser.tab().letterbox(ALONE);
    await browser.advance(60_000);
    assert.ok(browser.server.polls.length > 3 && browser.server.polls.length < 12, `${browser.server.polls.length}`);
  });

for (const [status, code] of [[401, 'bad_token'], [403, 'locked'], [403, 'kicked'], [400, 'bad_client']])
  test(`a terminal error (${code}) stops it, and says why`, async () => {
    const all = await started();
    const { box, server } = all;
    assert.deepEqual(await toldWhenRefused(all, status, code), stopped(status, code));
    assert.equal(server.polls.length, 3);
    assert.equal(box.closed, true);
    assert.equal(box.states.at(-1), 'closed');
  });

test('open() begins again after a terminal error', async () => {
  const { browser, box, server } = await started();
  server.instead(refusal(403, 'locked', { terminal: true }));
  server.endAll('timeout');
  await browser.advance(1000);
  box.open();
  server.push('unlocked');
  await browser.advance(1000);
  assert.deepEqual(box.got, ['unlocked']);
  assert.deepEqual(box.log, ['open', 'error locked terminal', 'close locked', 'open']);
});

test('after "kicked" it asks once more at once, and the terminal error says why', async () => {
  const { browser, box, server } = await started();
  server.instead(refusal(403, 'locked', { terminal: true }));
  server.endAll('kicked');
  await browser.advance(0);
  assert.deepEqual(box.log, ['open', 'error locked terminal', 'close locked']);
  assert.equal(server.polls.length, 3);
});

test('"kicked" again and again is no hot loop', async () => {
  const { browser, server } = await started();
  server.instead(...Array(1000).fill(answer({ reason: 'kicked' })));
  server.endAll('kicked');
  await browser.advance(60_000);
  assert.ok(server.polls.length < 15, `${server.polls.length}`);
});

for (const [what, said] of [
  ['status 200 with HTML', page(200, '<p>Please log in')],
  ['JSON of another server', page(200, '{"messages":"none"}')],
  ['a message without an id', answer({ messages: [{ type: 'x' }] })],
  ['no body', page(204, '')],
  ['a proxy’s 404', page(404)],
  ['a proxy’s 403', page(403, '{"error":"no"}')],
  ['a proxy’s 502', page(502)],
])
  test(`${what} is a bad answer: not the end, tried again less and less often`, async () => {
    const browser = new Browser();
    browser.server.instead(...Array(1000).fill(said));
    const box = browser.tab().letterbox(ALONE);
    const all = troubles(box);
    await browser.advance(600_000);
    assert.equal(all[0].code, 'bad_answer');
    assert.equal(all[0].status, said.status ?? 200);
    assert.ok(all.every(({ terminal }) => !terminal));
    assert.ok(all.length > 8 && all.length < 25, `${all.length} in ten minutes`);
    assert.equal(box.closed, false);
  });

test('the browser\'s message about a failed request is not passed on: it may quote the token', async () => {
  const { browser, box, server } = await started({ token: 's3cret' });
  const all = troubles(box);
  server.network = 'down';
  server.endAll('timeout');
  await browser.advance(500);
  assert.equal(all[0].code, 'network');
  assert.equal(all[0].status, 0);
  assert.ok(!JSON.stringify(all).includes('s3cret'));
});

test('"superseded" stops it, and is reported', async () => {
  const { browser, box, server } = await started({ client: 'phone' });
  server.endAll('superseded', 1500);
  await browser.advance(3_600_000);
  assert.deepEqual(box.log, ['open', 'superseded', 'close superseded']);
  assert.equal(server.polls.length, 2);
});

test('if the page prevents the default of "superseded" it goes on, after a pause', async () => {
  const { browser, box, server } = await started({ client: 'phone' });
  box.on('superseded', (event) => event.preventDefault());
  server.endAll('superseded', 1500);
  await browser.advance(1499);
  assert.equal(server.polls.length, 2);
  await browser.advance(1);
  assert.equal(server.polls.length, 3);
  assert.equal(box.closed, false);
});

test('close() aborts the poll, and is reported once', async () => {
  const { browser, box, server } = await started();
  box.close();
  box.close();
  await browser.advance(100_000);
  assert.equal(server.polls[1].aborted, true);
  assert.equal(server.parked, 0);
  assert.equal(server.polls.length, 2);
  assert.deepEqual(box.log, ['open', 'close closed']);
});

test('close() ends a wait as well', async () => {
  const { browser, box, server } = await started();
  server.endAll('shutdown', 5000);
  await browser.advance(100);
  box.close();
  await browser.advance(100_000);
  assert.equal(server.polls.length, 2);
});

test('with start: false nothing is asked before open()', async () => {
  const { browser, box, server } = await started({ start: false });
  assert.equal(server.polls.length, 0);
  assert.equal(box.closed, true);
  box.open();
  box.open();
  await browser.advance(600);
  assert.equal(server.polls.length, 2);
});

test('its state says what it does at the moment', async () => {
  const { browser, box, server } = await started();
  server.push('x');
  await browser.advance(0);
  box.close();
  assert.deepEqual(box.states, ['polling', 'answered timeout', 'polling', 'answered messages', 'polling', 'closed']);
});
