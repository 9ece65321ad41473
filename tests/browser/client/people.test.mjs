// SPDX-License-Identifier: MIT
//
// Several people in one browser: tabs share only if they are known to be of the same person.

import assert from 'node:assert/strict';
import { Browser } from './browser.mjs';
import { refusal } from './server.mjs';
import { test, testOfPolls } from './transports.mjs';

/** The user of a token, as the server knows it. */
const personOf = new Map();

const base64url = (text) => Buffer.from(text).toString('base64url');
const issued = (token, person) => (personOf.set(token, person), token);
const ours = (name, secret = 'x') => issued(`lb_${base64url(name)}.${base64url(secret)}`, name);
const jwt = (claims) => issued(`${base64url('{"alg":"HS256"}')}.${base64url(JSON.stringify(claims))}.c2ln`, claims.sub);

/** Opens a tab for each, one after the other. */
async function started(...options) {
  const browser = new Browser();
  browser.server.who = (token) => personOf.get(token) ?? 'all';
  const tabs = [];
  const boxes = [];
  for (const one of options) {
    tabs.push(browser.tab());
    boxes.push(tabs.at(-1).letterbox(one));
    await browser.advance(100);
  }
  return { browser, tabs, boxes, server: browser.server };
}

const leaders = (boxes) => boxes.map(({ leading }) => leading);
const clients = (boxes) => new Set(boxes.map(({ client }) => client));

for (const [what, alice, bob] of [
  ['their tokens of Letterbox', ours('alice'), ours('bob')],
  ['their signed tokens', jwt({ sub: 'alice' }), jwt({ sub: 'bob' })],
  ['a function that gives such a token', () => ours('alice'), async () => jwt({ sub: 'bob' })],
])
  test(`two people, known by ${what}: each tab polls for itself, and neither gets the other's messages`, async () => {
    const { browser, boxes, server } = await started({ token: alice }, { token: bob });
    assert.deepEqual(leaders(boxes), [true, true]);
    assert.equal(clients(boxes).size, 2);
    server.push('for alice alone', 'message', 'alice');
    server.push('for bob alone', 'message', 'bob');
    await browser.advance(1000);
    assert.deepEqual(boxes.map(({ got }) => got), [['for alice alone'], ['for bob alone']]);
  });

for (const [what, tokens] of [
  ['two tokens of Letterbox', [ours('alice', 'one'), ours('alice', 'two')]],
  ['two signed tokens', [jwt({ sub: 'alice', iat: 1 }), jwt({ sub: 'alice', iat: 2 })]],
  ['one of each, given by functions', [() => ours('alice'), async () => jwt({ sub: 'alice' })]],
  ['a name with all characters that a name may have', [ours('A-z.0_9@b:c+d'), jwt({ sub: 'A-z.0_9@b:c+d' })]],
])
  test(`the same person in two tabs, known by ${what}: one polls`, async () => {
    const { browser, boxes, server } = await started(...tokens.map((token) => ({ token })));
    assert.deepEqual(leaders(boxes), [true, false]);
    assert.equal(clients(boxes).size, 1);
    server.push('x', 'message', personOf.get(server.polls[0].headers.Authorization.slice(7)));
    await browser.advance(0);
    assert.deepEqual(boxes.map(({ got }) => got), [['x'], ['x']]);
    assert.equal(server.parked, 1);
  });

test('a token names the user even if `user` is given, as it does to the server', async () => {
  const { boxes } = await started({ user: 'alice', token: ours('alice') }, { user: 'alice', token: ours('bob') }, { user: 'bob' });
  assert.deepEqual(leaders(boxes), [true, true, false]);
});

for (const [what, options] of [
  ['a cookie', {}],
  ['a token without a name', { token: 'opaque' }],
  ['a token that only looks like one of Letterbox\'s', { token: 'lb_%%%.x' }],
  ['a signed token without a name', { token: jwt({ aud: 'x' }) }],
  ['a signed token for a number', { token: jwt({ sub: 7 }) }],
  ['a name that no user may have', { token: jwt({ sub: 'a b' }) }],
  ['a function whose token has no name', { token: () => 'opaque' }],
])
  test(`while the user is unknown (${what}), each tab polls for itself`, async () => {
    const { browser, boxes, server } = await started(options, options);
    assert.deepEqual(leaders(boxes), [true, true]);
    assert.equal(clients(boxes).size, 2);
    server.push('x', 'message', personOf.get(options.token) ?? 'all');
    await browser.advance(0);
    assert.deepEqual(boxes.map(({ got }) => got), [['x'], ['x']]);
    assert.deepEqual(browser.localStorage.keys(), []);
  });

test('with a cookie, tabs that name the same user share', async () => {
  const { boxes } = await started({ user: 'alice' }, { user: 'alice' }, { user: 'alice', token: 'opaque' });
  assert.deepEqual(leaders(boxes), [true, false, false]);
});

test('a function is not asked for more tokens than there are polls, and no poll leaves before the user is known', async () => {
  let calls = 0;
  const { browser, boxes, server } = await started({ token: async () => (++calls, ours('alice')) });
  await browser.advance(60_000);
  assert.deepEqual(boxes[0].log, ['open']);
  assert.ok(calls <= server.polls.length + 1, `${calls} for ${server.polls.length}`);
  assert.equal(new Set(server.polls.map(({ query }) => query.client)).size, 1);
});

test('when the token of a tab that polls becomes another person\'s it begins again as that person, and the others stay', async () => {
  let token = ours('alice');
  const { browser, boxes, server } = await started({ token: () => token }, { token: ours('alice') }, { token: ours('bob') });
  assert.deepEqual(leaders(boxes), [true, false, true]);
  token = ours('bob');
  server.endAll('timeout');
  await browser.advance(1000);
  assert.deepEqual(leaders(boxes), [false, true, true]);
  assert.deepEqual(boxes[0].log, ['open', 'reset', 'open']);
  assert.deepEqual(boxes[1].log, ['open']);
  assert.equal(boxes[0].client, boxes[2].client);
  const asBob = server.polls.filter(({ headers }) => headers.Authorization === `Bearer ${ours('bob')}`);
  assert.deepEqual(new Set(asBob.map(({ query }) => query.client)), new Set([boxes[2].client]), 'no poll of the one under the name of the other');
});

test('a tab that follows and whose token has become another person\'s gets no message of the former', async () => {
  let token = ours('alice');
  const { browser, boxes, server } = await started({ token: ours('alice') }, { token: () => token });
  assert.deepEqual(leaders(boxes), [true, false]);
  server.push('for alice', 'message', 'alice');
  await browser.advance(100);
  token = ours('bob');
  server.push('for alice alone', 'message', 'alice');
  server.push('for bob alone', 'message', 'bob');
  await browser.advance(1000);
  assert.deepEqual(boxes.map(({ got }) => got), [['for alice', 'for alice alone'], ['for alice', 'for bob alone']]);
  assert.deepEqual(leaders(boxes), [true, true]);
  assert.notEqual(boxes[1].client, boxes[0].client);
  assert.deepEqual(boxes[1].log, ['open', 'reset', 'open']);
});

test('a tab that follows, and whose function has no token at the moment, keeps the messages that came until it has one', async () => {
  let fails = false;
  const token = () => (fails ? Promise.reject(new Error('away')) : ours('alice'));
  const { browser, boxes, server } = await started({ token: ours('alice') }, { token });
  fails = true;
  for (const data of [1, 2]) server.push(data, 'message', 'alice');
  await browser.advance(100);
  assert.deepEqual(boxes.map(({ got }) => got), [[1, 2], []]);
  fails = false;
  await browser.advance(2000);
  assert.deepEqual(boxes[1].got, [1, 2]);
  assert.deepEqual(leaders(boxes), [true, false]);
  assert.deepEqual(boxes[1].log, ['open']);
});

testOfPolls('a token that comes too late, after another was used, changes nothing', async () => {
  let late;
  let calls = 0;
  const token = () => (++calls === 3 ? new Promise((resolve) => (late = resolve)) : ours('alice'));
  const { browser, boxes, server } = await started({ token, share: false });
  const { client } = boxes[0];
  await browser.advance(80_000);
  assert.equal(server.parked, 1);
  late(ours('bob'));
  await browser.advance(1000);
  assert.equal(boxes[0].client, client);
  assert.deepEqual(boxes[0].log, ['open']);
  assert.equal(server.parked, 1);
});

test('a tab that signs out no longer shares with that person\'s tabs', async () => {
  let token = ours('alice');
  const { browser, boxes, server } = await started({ token: ours('alice') }, { token: () => token });
  token = undefined;
  const sent = server.polls.length;
  server.push('for alice alone', 'message', 'alice');
  await browser.advance(1000);
  assert.deepEqual(boxes.map(({ got }) => got), [['for alice alone'], []]);
  assert.ok(server.polls.length > sent);
  const ofNobody = server.polls.at(-1);
  assert.deepEqual(ofNobody.headers, {});
  assert.notEqual(ofNobody.query.client, boxes[0].client);
});

test('each person has a name and a cursor of their own, also one after the other in the same tab', async () => {
  for (const share of [true, false]) {
    const { browser } = await started();
    let tab = browser.tab();
    const as = async (name) => {
      tab = tab.reload();
      const box = tab.letterbox({ token: ours(name), share });
      await browser.advance(1000);
      return box;
    };
    for (const name of ['alice', 'bob']) browser.server.push(`old, for ${name}`, 'message', name);
    const alice = await as('alice');
    const bob = await as('bob');
    assert.deepEqual([alice.got, bob.got], [['old, for alice'], ['old, for bob']]);
    assert.notEqual(bob.client, alice.client);
    const again = await as('alice');
    assert.deepEqual(again.got, []);
    assert.equal(again.client, alice.client);
    assert.equal(again.cursor, browser.server.id(1));
  }
});

test('messages of two people that have the same id are two messages', async () => {
  let token = ours('alice');
  const { browser, boxes, server } = await started({ token: () => token, share: false });
  const ids = ['alice', 'bob'].map((name) => server.push(`for ${name}`, 'message', name));
  assert.equal(ids[0], ids[1]);
  await browser.advance(0);
  token = ours('bob');
  server.endAll('timeout');
  await browser.advance(1000);
  assert.deepEqual(boxes[0].got, ['for alice', 'for bob']);
});

test('the others go on if the token of one tab is refused', async () => {
  const { browser, boxes, server } = await started({ token: ours('alice', 'old') }, { token: ours('alice', 'new') });
  server.instead(refusal(401, 'bad_token', { terminal: true }));
  server.endAll('timeout');
  await browser.advance(1000);
  assert.deepEqual(boxes.map(({ log }) => log), [['open', 'error bad_token terminal', 'close bad_token'], ['open']]);
  server.push('x', 'message', 'alice');
  await browser.advance(0);
  assert.deepEqual(boxes[1].got, ['x']);
});
