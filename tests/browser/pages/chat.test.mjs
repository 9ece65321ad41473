// SPDX-License-Identifier: MIT
//
// The page Chat: several people, several tabs, and one person who is away.

import assert from 'node:assert/strict';
import { eventually, house, isConnected, Person, sees, test } from './browser.mjs';

const home = house();

async function join(page, room) {
  await page.locator('#room').fill(room);
  await page.locator('#join button').click();
  await sees(page, '#talk-title', room);
}

async function say(page, text) {
  await page.locator('#text').fill(text);
  await page.locator('#text').press('Enter');
}

/** A person with the page Chat open in this room. */
async function chatter(name, room, options) {
  const person = await Person.named(name, options);
  const page = await person.open('/chat');
  await isConnected(page);
  await join(page, room);
  return { person, page };
}

const said = page => page.locator('#said .said').allTextContents();

/** All that is said, as [author, text]. */
const lines = page => page.locator('#said li').evaluateAll(items => items.map(item => [item.querySelector('b').textContent, item.querySelector('.said').textContent]));

test('three people say 500 things at once: each is in every window once, and in the order of its author', async () => {
  const names = ['ann', 'ben', 'cleo'];
  const EACH = [167, 167, 166];
  const all = await Promise.all(names.map(name => chatter(name, 'crowd')));
  await eventually('all are in the room', async () => (await home.stack.ask('GET', '/groups/crowd')).size === 3);
  await Promise.all(all.map(async ({ page }, who) => {
    for (let n = 0; n < EACH[who]; n++) await say(page, `${names[who]} ${n}`);
  }));
  for (const { page } of all) {
    await eventually('all 500 are here', async () => (await page.locator('#said li').count()) >= 500);
    await eventually('nothing is pending', async () => (await page.locator('#pending li').count()) === 0);
    const shown = await lines(page);
    assert.equal(shown.length, 500);
    for (const [who, name] of names.entries()) {
      assert.deepEqual(shown.filter(([from]) => from === name).map(([, text]) => text), Array.from({ length: EACH[who] }, (_, n) => `${name} ${n}`));
    }
  }
  const [{ page }] = all;
  await page.reload();
  await eventually('a reload shows them all again', async () => (await page.locator('#said li').count()) === 500);
});

test('Enter sends, Shift and Enter make a new line, blanks alone are not sent', async () => {
  const { page } = await chatter('typist', 'typing');
  await page.locator('#text').press('Enter');
  await page.locator('#text').pressSequentially('one');
  await page.locator('#text').press('Shift+Enter');
  await page.locator('#text').pressSequentially('two');
  await page.locator('#text').press('Enter');
  await sees(page, '#said', 'two');
  assert.deepEqual(await said(page), ['one\ntwo']);
  assert.equal(await page.locator('#text').inputValue(), '');
});

test('a text without a network is shown as pending, survives a reload, and is sent once, in order, when it is back', async () => {
  const { person, page } = await chatter('away', 'island');
  const other = await chatter('ashore', 'island');
  person.tolerate(/ERR_INTERNET_DISCONNECTED/);
  await person.context.setOffline(true);
  for (const text of ['first', 'second', 'third']) await say(page, text);
  await sees(page, '#pending', 'third');
  assert.deepEqual(await page.locator('#pending .said').allTextContents(), ['first', 'second', 'third']);
  await say(other.page, 'are you there?');
  await person.context.setOffline(false);
  await page.reload();
  for (const window of [page, other.page]) {
    await sees(window, '#said', 'third');
    await sees(window, '#said', 'are you there?');
    assert.deepEqual((await lines(window)).filter(([from]) => from === 'away').map(([, text]) => text), ['first', 'second', 'third']);
  }
  assert.equal(await page.locator('#pending li').count(), 0);
});

test('a push whose answer was lost is sent again, and shown once', async () => {
  const { person, page } = await chatter('twice', 'echo');
  const other = await chatter('hearer', 'echo');
  person.tolerate(/ERR_FAILED/);
  let lost = 0;
  await page.route('**/push?*', async route => {
    if (lost++ > 0) return route.continue();
    await route.fetch();
    await route.abort();
  });
  await say(page, 'echo');
  await eventually('it was sent again', async () => lost >= 2 && (await page.locator('#pending li').count()) === 0);
  await say(page, 'end');
  for (const window of [page, other.page]) {
    await sees(window, '#said', 'end');
    assert.deepEqual(await said(window), ['echo', 'end']);
  }
});

test('texts of others in another room, or while the tab is hidden, count as unread; opening the room reads them', async () => {
  const reader = await chatter('reader', 'left');
  await join(reader.page, 'right');
  const writer = await chatter('writer', 'left');
  await say(writer.page, 'one');
  await say(writer.page, 'two');
  await sees(reader.page, '#rooms button[data-key="left"]', '2 unread');
  assert.equal(await reader.page.title(), '(2) Chat – Letterbox');
  await reader.page.locator('button[data-key="left"]').click();
  await eventually('it is read', async () => (await reader.page.title()) === 'Chat – Letterbox');
  assert.deepEqual(await said(reader.page), ['one', 'two']);
  // The state that a browser reports of a tab behind another one.
  const hide = hidden => reader.page.evaluate(state => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden ? 'hidden' : 'visible');
  await hide(true);
  await say(writer.page, 'three');
  await eventually('it is counted', async () => (await reader.page.title()) === '(1) Chat – Letterbox');
  await hide(false);
  await eventually('it is read', async () => (await reader.page.title()) === 'Chat – Letterbox');
});

test('several tabs of one person show the same, and a text that is read in one is read in the other', async () => {
  const { person, page } = await chatter('double', 'both');
  const second = await person.open('/chat');
  await isConnected(second);
  await sees(second, '#talk-title', 'both');
  await say(page, 'from the first');
  await say(second, 'from the second');
  for (const tab of [page, second]) {
    await sees(tab, '#said', 'from the second');
    assert.deepEqual((await said(tab)).sort(), ['from the first', 'from the second']);
  }
  await join(second, 'another');
  await sees(page, '#rooms', 'another');
});

test('the room shows people come online and leave as it happens', async () => {
  const { page } = await chatter('host', 'party');
  await home.stack.ask('PUT', '/groups/party/guest');
  await eventually('the guest is listed', async () => {
    await page.locator('button[data-key="party"]').click();
    return page.locator('[data-user="guest"][data-online="false"]').isVisible();
  });
  // One short poll: online for a second, and gone.
  await home.stack.ask('GET', '/poll?user=guest&client=phone&timeout=0.1&after=0');
  await page.locator('[data-user="guest"][data-online="true"]').waitFor();
  await page.locator('[data-user="guest"][data-online="false"]').waitFor();
});

test('a person who leaves a room gets no more of its texts', async () => {
  const leaver = await chatter('leaver', 'stage');
  const actor = await chatter('actor', 'stage');
  await leaver.page.locator('#leave').click();
  await sees(leaver.page, '#talk-title', 'No room is open');
  await say(actor.page, 'nobody hears me');
  await sees(actor.page, '#said', 'nobody hears me');
  const { members } = await home.stack.ask('GET', '/groups/stage');
  assert.deepEqual(members.map(({ user }) => user), ['actor']);
  assert.equal((await leaver.page.content()).includes('nobody hears me'), false);
});

test('messages of other types, or broken ones, change nothing', async () => {
  const { page } = await chatter('sturdy', 'glass');
  for (const data of [null, 7, 'text', [], { room: 'glass' }, { room: 'glass', from: 1, text: 2, id: 3 }, { room: '__proto__', from: 'x', text: 'x', id: 'x' }]) {
    await home.stack.push('sturdy', data, 'chat');
  }
  await home.stack.push('sturdy', null, 'user.online');
  await home.stack.push('sturdy', { room: 'glass', from: 'x'.repeat(500), text: 'y'.repeat(90_000), id: '1', time: 'never', id2: {} }, 'chat');
  await sees(page, '#said', '90,000 characters');
  assert.equal((await said(page)).length, 1);
});

test('a room that the server refuses is refused in its words', async () => {
  const { person, page } = await chatter('refused', 'fine');
  person.tolerate(/status of 400/);
  await page.locator('#room').fill('not a room!');
  await page.locator('#join button').click();
  await sees(page, '#joined.bad', 'group');
  assert.deepEqual(await page.locator('#rooms button > span:first-child').allTextContents(), ['fine']);
});

test('markup in a text, in its author, and in a room’s name stays text, in every window', async () => {
  const evil = '<img src=x onerror=alert(1)><svg onload=alert(2)><script>alert(3)</script>';
  const victim = await chatter('victim', 'xss');
  const villain = await chatter('villain', 'xss');
  victim.person.tolerate(/status of 40[04]/);
  await say(villain.page, evil);
  await home.stack.push('group:xss', { room: 'xss', from: evil, text: evil, id: evil }, 'chat');
  for (const { page } of [victim, villain]) {
    await eventually('both are shown', async () => (await said(page)).length === 2);
    assert.deepEqual(await said(page), [evil, evil]);
    assert.equal(await page.locator('main img, main svg, main script, [onerror], [onload]').count(), 0);
  }
  await victim.page.locator('#room').fill(evil);
  await victim.page.locator('#join button').click();
  await sees(victim.page, '#joined.bad', 'group');
});
