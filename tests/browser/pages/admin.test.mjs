// SPDX-License-Identifier: MIT
//
// The page Admin: what it shows of users, and what it does to them.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { eventually, house, isConnected, Person, sees, test } from './browser.mjs';
import { Stack } from './stack.mjs';

const home = house();

async function administrator(where) {
  const person = await Person.named(null, {}, where);
  const page = await person.open('/admin');
  await isConnected(page);
  return { person, page };
}

/** A person with the page Start open. */
async function visitor(name) {
  const person = await Person.named(name);
  const page = await person.open('/');
  await isConnected(page);
  return { person, page };
}

const names = page => page.locator('#rows td:first-child').allTextContents();

/** Answers the question that the page asks back. */
async function answer(page, question, button) {
  await sees(page, 'dialog h2', question);
  await page.locator('dialog button', { hasText: button }).click();
  await page.locator('dialog').waitFor({ state: 'detached' });
}

test('users who are online are shown with last activity, address and agent, also those who come meanwhile', async () => {
  const { page } = await administrator();
  await sees(page, '#rows', 'admin');
  await visitor('newcomer');
  await page.locator('#rows tr[data-user="newcomer"]').waitFor();
  const [user, activity, address, agent] = await page.locator('#rows tr[data-user="newcomer"] td').allTextContents();
  assert.equal(user, 'newcomer');
  assert.match(activity, /^[\d.]+ (s|min .*) ago$/);
  assert.match(address, /127\.0\.0\.1/);
  assert.match(agent, /Chrom/);
  // On a phone the rows are laid out as a grid, which must not end their being a table.
  const bare = await page.locator('#users :is(thead, tbody, tr, th, td):not([role])').count();
  assert.deepEqual([await page.locator('#users').getAttribute('role'), bare], ['table', 0]);
});

test('names can be searched by their beginning, and paged through', async () => {
  const { page } = await administrator();
  const crowd = Array.from({ length: 60 }, (_, n) => `crowd-${String(n).padStart(2, '0')}`);
  await Promise.all(crowd.map(user => home.stack.ask('GET', `/poll?user=${user}&timeout=0`)));
  await page.locator('#prefix').fill('crowd-');
  await eventually('the first page', async () => (await names(page)).length === 50);
  assert.deepEqual(await names(page), crowd.slice(0, 50));
  await page.locator('#next').click();
  await eventually('the second page', async () => (await names(page)).length === 10);
  assert.deepEqual(await names(page), crowd.slice(50));
  await page.locator('#first').click();
  await eventually('the first page again', async () => (await names(page)).length === 50);
  await page.locator('#prefix').fill('crowd-07');
  await eventually('one alone', async () => (await names(page)).join() === 'crowd-07');
  await page.locator('#prefix').fill('nobody-');
  await page.locator('#nobody').waitFor();
});

test('a user is kicked: their page says why, and stops', async () => {
  const target = await visitor('loud');
  target.person.tolerate(/status of 403/);
  const { page } = await administrator();
  await page.locator('#prefix').fill('loud'); // others may fill the first page
  await page.locator('#rows button', { hasText: 'loud' }).click();
  await sees(page, '#facts', 'not locked');
  await page.locator('#reason').fill('too loud');
  await page.locator('#kick').click();
  await answer(page, 'Kick loud?', 'Kick');
  await sees(page, '#one-outcome', 'loud was kicked.');
  await sees(target.page, '#notices', 'too loud');
  await sees(target.page, '#state', 'stopped');
});

const enabled = page => page.locator('#one .actions button:enabled').evaluateAll(buttons => buttons.map(({ id }) => id));

test('a user is locked, which their page says, then unlocked, and may come again', async () => {
  const target = await visitor('debtor');
  target.person.tolerate(/status of 403/);
  const { page } = await administrator();
  await page.locator('#user').fill('debtor');
  await page.locator('#reason').fill('unpaid');
  await sees(page, '#facts', 'not locked');
  assert.deepEqual(await enabled(page), ['kick', 'lock', 'erase']);
  await page.locator('#lock').click();
  await answer(page, 'Lock debtor?', 'Lock');
  await sees(page, '#facts', 'unpaid');
  await sees(target.page, '#notices', 'unpaid');
  await sees(page, '#one-outcome', 'debtor is locked.');
  assert.deepEqual(await enabled(page), ['kick', 'unlock', 'erase']);
  await page.locator('#unlock').click();
  await sees(page, '#facts', 'not locked');
  await target.page.locator('#notices button').click();
  await isConnected(target.page);
});

test('Lock, Kick, Revoke and a push to all ask first; Escape and Cancel change nothing, and leave the focus where it was', async () => {
  const target = await visitor('spared');
  const { token } = await home.stack.ask('POST', '/tokens', { json: { user: 'spared' } });
  const { page } = await administrator();
  await page.locator('#user').fill('spared');
  await page.locator('#user').press('Enter');
  await sees(page, '#tokens code', 'spared.');
  await page.locator('#push [value="all"]').check();
  await page.locator('#push textarea').fill('not sent');
  for (const button of ['#kick', '#lock', '#tokens button', '#revoke-all', '#push .actions button']) {
    await page.locator(button).focus();
    for (const no of ['Escape', 'Enter']) { // Cancel has the focus
      await page.keyboard.press('Enter');
      await page.locator('dialog:modal').waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel', button);
      await page.keyboard.press(no);
      await page.locator('dialog').waitFor({ state: 'detached' });
      assert.equal(await page.evaluate(wanted => document.activeElement.matches(wanted), button), true, button);
    }
  }
  assert.equal((await home.stack.user('spared')).locked, null);
  assert.equal((await fetch(`${home.stack.url}/alive`, { headers: { Authorization: `Bearer ${token}` } })).status, 200);
  await home.stack.push('spared', 'the only one');
  await sees(target.page, '#arrived', 'the only one');
  assert.deepEqual(await target.page.locator('#arrived .said').allTextContents(), ['the only one']);
});

test('a user is locked and unlocked by keyboard alone, and the focus goes to what can be done next', async () => {
  const { page } = await administrator();
  const focused = () => page.evaluate(() => document.activeElement.id);
  await page.locator('#user').focus();
  await page.keyboard.type('keyed');
  await page.keyboard.press('Enter');
  await sees(page, '#facts', 'not locked');
  await page.locator('#lock').focus();
  await page.keyboard.press('Enter');
  await page.locator('dialog:modal').waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await sees(page, '#one-outcome', 'keyed is locked.');
  assert.notEqual((await home.stack.user('keyed')).locked, null);
  assert.equal(await focused(), 'unlock');
  await page.keyboard.press('Enter');
  await sees(page, '#one-outcome', 'keyed is unlocked.');
  assert.equal((await home.stack.user('keyed')).locked, null);
  assert.equal(await focused(), 'lock');
});

test('on a phone, a user who is chosen from a long list comes into view', async () => {
  await Promise.all(Array.from({ length: 30 }, (_, n) => home.stack.ask('GET', `/poll?user=long-${n}&timeout=0`)));
  const page = await (await Person.named(null, { viewport: { width: 320, height: 640 } })).open('/admin');
  await isConnected(page);
  await page.locator('#prefix').fill('long-1');
  await page.locator('#rows button', { hasText: 'long-1' }).first().click();
  await sees(page, '#facts', 'not locked');
  await eventually('it is in view', () => page.evaluate(() => {
    const { top, bottom } = document.querySelector('#facts').getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  }));
});

test('a user’s tokens are listed, with their last use; one is revoked, then all', async () => {
  const { page } = await administrator();
  const make = async client => (await home.stack.ask('POST', '/tokens', { json: { user: 'holder', client } })).token;
  const [phone, tab] = [await make('phone'), await make('tab')];
  const alive = async (token, client) => (await fetch(`${home.stack.url}/alive?client=${client}`, { headers: { Authorization: `Bearer ${token}` } })).status;
  assert.equal(await alive(phone, 'phone'), 200);
  await page.locator('#user').fill('holder');
  await page.locator('#one button').first().click();
  await sees(page, '#tokens li', 'for phone');
  await sees(page, '#tokens li', 'from 127.0.0.1');
  assert.equal(await page.locator('#tokens-count').textContent(), '2');
  await page.locator('#tokens li', { hasText: 'for phone' }).locator('button').click();
  await answer(page, 'Revoke this token of holder?', 'Revoke');
  await sees(page, '#tokens-outcome', '1 token revoked.');
  assert.deepEqual([await alive(phone, 'phone'), await alive(tab, 'tab')], [401, 200]);
  assert.equal(await page.locator('#tokens li').count(), 1);
  await page.locator('#revoke-all').click();
  await answer(page, 'Revoke all tokens of holder?', 'Revoke');
  await page.locator('#no-tokens').waitFor();
  assert.equal(await alive(tab, 'tab'), 401);
  // Another name: the tokens of this one are not shown any more.
  await page.locator('#user').fill('holde');
  await page.locator('#tokens-part').waitFor({ state: 'hidden' });
});

test('messages are shown when they are asked for, page after page, and none is acknowledged', async () => {
  const { page } = await administrator();
  for (let n = 1; n <= 25; n++) await home.stack.push('reader', `message ${n}`);
  await page.locator('#user').fill('reader');
  await page.locator('#user').press('Enter');
  await sees(page, '#messages-count', '25');
  assert.equal(await page.locator('#messages li').count(), 0);
  await page.locator('#peek').click();
  await eventually('the first page', async () => (await page.locator('#messages li').count()) === 20);
  await sees(page, '#messages li:first-child', 'message 1');
  await page.locator('#messages-next').click();
  await eventually('the second page', async () => (await page.locator('#messages li').count()) === 5);
  await sees(page, '#messages li:last-child', 'message 25');
  await page.locator('#messages-first').click();
  await eventually('the first page again', async () => (await page.locator('#messages li').count()) === 20);
  assert.equal((await home.stack.ask('GET', '/mailbox?user=reader')).queued, 25);
  // Another name: nothing of this one is shown any more.
  await page.locator('#user').fill('reade');
  await page.locator('#messages-part').waitFor({ state: 'hidden' });
  assert.equal(await page.locator('#messages li').count(), 0);
});

test('one message is retracted, after a question, and its user never gets it', async () => {
  const { page } = await administrator();
  for (const text of ['good', 'slip', 'better']) await home.stack.push('regretted', text);
  await page.locator('#user').fill('regretted');
  await page.locator('#user').press('Enter');
  await page.locator('#peek').click();
  await page.locator('#messages li', { hasText: 'slip' }).locator('button').click();
  await answer(page, 'Retract this message?', 'Cancel');
  assert.equal(await page.locator('#messages li').count(), 3);
  await page.locator('#messages li', { hasText: 'slip' }).locator('button').click();
  await answer(page, 'Retract this message?', 'Retract');
  await sees(page, '#messages-outcome', 'was retracted');
  await eventually('two are left', async () => (await page.locator('#messages li').count()) === 2);
  const got = await home.stack.ask('GET', '/poll?user=regretted&after=0&timeout=0');
  assert.deepEqual([got.messages.map(({ data }) => data), got.collapsed], [['good', 'better'], 1]);
});

test('a user is erased, after a question, and the page says what was removed', async () => {
  const { page } = await administrator();
  await home.stack.push('leaver', 'unread');
  await home.stack.ask('POST', '/tokens', { json: { user: 'leaver' } });
  await home.stack.ask('PUT', '/groups/left/leaver');
  await page.locator('#user').fill('leaver');
  await page.locator('#user').press('Enter');
  await sees(page, '#facts', 'left');
  await page.locator('#erase').click();
  await answer(page, 'Erase leaver?', 'Cancel');
  assert.equal((await home.stack.ask('GET', '/mailbox?user=leaver')).queued, 1);
  await page.locator('#erase').click();
  await answer(page, 'Erase leaver?', 'Erase');
  await sees(page, '#one-outcome', 'leaver was erased: 1 message, 0 scheduled messages, 1 token, 1 group.');
  assert.equal((await home.stack.ask('GET', '/mailbox?user=leaver')).queued, 0);
});

test('groups are listed with their sizes, and a push goes to the one that is chosen', async () => {
  const { page } = await administrator();
  for (const user of ['ann', 'ben']) await home.stack.ask('PUT', `/groups/listed/${user}`);
  await page.locator('#group-prefix').fill('liste');
  await sees(page, '#groups', 'listed');
  await sees(page, '#groups', '2 members');
  await page.locator('#groups button', { hasText: 'listed' }).click();
  await page.locator('#push textarea').fill('to the listed');
  await page.locator('#push button').click();
  await sees(page, '#pushed', 'Stored for 2 of 2');
  await page.locator('#group-prefix').fill('no-such-');
  await page.locator('#no-groups').waitFor();
});

test('a push reaches one user, a group, or all who are online, and no others', async () => {
  const [one, two, three] = [await visitor('one'), await visitor('two'), await visitor('three')];
  for (const user of ['one', 'two']) await home.stack.ask('PUT', `/groups/pair/${user}`);
  const { page } = await administrator();
  const tell = async (whom, to, text) => {
    await page.locator(`#push [value="${whom}"]`).check();
    if (to) await page.locator('#to').fill(to);
    await page.locator('#push textarea').fill(text);
    await page.locator('#push button').click();
    if (whom === 'all') await answer(page, 'Push to all who are online?', 'Push');
  };
  await tell('user', 'one', 'for one');
  await sees(one.page, '#arrived', 'for one');
  await tell('group', 'pair', 'for the pair');
  await sees(page, '#pushed', 'Stored for 2 of 2');
  await sees(two.page, '#arrived', 'for the pair');
  await tell('all', null, 'for all');
  for (const person of [one, two, three]) await sees(person.page, '#arrived', 'for all');
  const heard = async ({ page: theirs }) => (await theirs.locator('#arrived .said').allTextContents()).reverse();
  assert.deepEqual(await heard(one), ['for one', 'for the pair', 'for all']);
  assert.deepEqual(await heard(two), ['for the pair', 'for all']);
  assert.deepEqual(await heard(three), ['for all']);
});

test('the charts have figures, and follow what happens', async () => {
  const { page } = await administrator();
  const value = async title => parseFloat(await page.locator(`[data-figure="${title}"] .value span`).textContent());
  await visitor('parked');
  await eventually('two are parked, and both are streams', async () => (await value('Of these, streams')) >= 2);
  await eventually('they are counted as parked', async () => (await value('Parked polls and streams')) >= 2);
  await eventually('pushes are counted', async () => {
    await home.stack.push('parked', 'counted');
    return (await value('Messages pushed')) > 0;
  });
  await eventually('so is what was delivered', async () => {
    await home.stack.push('parked', 'counted');
    return (await value('Messages delivered')) > 0;
  });
  await eventually('Redis takes its time', async () => (await value('Time of a Redis command')) > 0);
  // One program serves both faces: it counts once.
  const [, bytes] = /^process_resident_memory_bytes ([^ ]+)$/m.exec(await (await fetch(`${home.stack.url}/metrics`)).text());
  const memory = await value('Memory of Letterbox');
  assert.ok(memory > 1 && memory < (1.5 * Number(bytes)) / 1e6, `${memory} MB, of ${bytes} bytes`);
  assert.match(await page.locator('[data-figure="Messages pushed"] svg').getAttribute('aria-label'), /now .* at most .* in the last two minutes/);
});

test('a refresh of the users online moves neither the focus nor the row under the pointer', async () => {
  const { page } = await administrator();
  await home.stack.ask('GET', '/poll?user=focused&timeout=0');
  await page.locator('#prefix').fill('focused');
  const button = page.locator('#rows button', { hasText: 'focused' });
  await button.focus();
  const node = await button.elementHandle();
  const activity = page.locator('#rows tr[data-user="focused"] td:nth-child(2)');
  const before = await activity.textContent();
  await eventually('it has looked again', async () => (await activity.textContent()) !== before);
  assert.equal(await node.evaluate(element => element.isConnected && document.activeElement === element), true);
});

test('a refusal of the server is shown in its words', async () => {
  const { person, page } = await administrator();
  person.tolerate(/status of 40[0-9]/);
  await page.locator('#user').fill('not a name!');
  await page.locator('#kick').click();
  await answer(page, 'Kick not a name!?', 'Kick');
  await sees(page, '#one-outcome.bad', 'user');
  await page.locator('#push button').click();
  await sees(page, '#pushed.bad', /./);
  await page.locator('#user').fill('bystander');
  await page.locator('#for').fill('long');
  await page.locator('#kick').click();
  await answer(page, 'Kick bystander?', 'Kick');
  await sees(page, '#one-outcome.bad', 'for');
});

test('the page sends a server that needs a key that key, from this tab alone; a wrong one is refused', async () => {
  const KEY = 'a-key-of-the-browser-tests';
  const stack = await Stack.start({ LETTERBOX_KEY_FILE: 'key' }, directory => writeFile(`${directory}/key`, `${KEY}\n`, { mode: 0o600 }));
  const { person, page } = await administrator(stack);
  person.tolerate(/status of 401/);
  await sees(page, '#online-outcome.bad', 'key');
  const set = async key => {
    await page.locator('#key').fill(key);
    await page.locator('#key-form button').click();
  };
  await set('ключ');
  await sees(page, '#online-outcome.bad', 'ASCII');
  await set('a-key-that-is-quite-wrong');
  await sees(page, '#online-outcome.bad', 'key');
  await set(KEY);
  await sees(page, '#rows', 'admin');
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage)).then(all => all.includes('a-key')), false);
  const other = await person.open('/admin');
  await sees(other, '#online-outcome.bad', 'key');
  await person.context.close();
  await stack.stop();
});

test('markup in a name, an agent and a reason stays text', async () => {
  const evil = '<img src=x onerror=alert(1)>';
  const { person, page } = await administrator();
  person.tolerate(/status of 400/);
  await fetch(`${home.stack.url}/poll?user=agent&timeout=0`, { headers: { 'User-Agent': evil } });
  await sees(page, '#rows .agent', evil);
  await home.stack.ask('POST', '/users/lock', { json: { user: 'reasoned', reason: evil } });
  await page.locator('#user').fill('reasoned');
  await page.locator('#one button').first().click();
  await sees(page, '#facts', evil);
  for (const field of ['#user', '#reason', '#prefix', '#to', '#type', '#text']) await page.locator(field).fill(evil);
  await page.locator('#kick').click();
  await answer(page, evil, 'Kick');
  await sees(page, '#one-outcome.bad', 'user');
  assert.equal(await page.locator('main img, main script, [onerror]').count(), 0);
});
