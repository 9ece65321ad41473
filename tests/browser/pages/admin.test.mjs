// SPDX-License-Identifier: MIT
//
// The page Admin: what it shows of others, and what it does to them.

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

/** A person with the page Start open, as anybody may be. */
async function visitor(name) {
  const person = await Person.named(name);
  const page = await person.open('/');
  await isConnected(page);
  return { person, page };
}

const names = page => page.locator('#rows td:first-child').allTextContents();

test('who is online is shown with last activity, address and agent, and so is who comes while one looks', async () => {
  const { page } = await administrator();
  await sees(page, '#rows', 'admin');
  await visitor('newcomer');
  await page.locator('#rows tr[data-user="newcomer"]').waitFor();
  const [user, activity, address, agent] = await page.locator('#rows tr[data-user="newcomer"] td').allTextContents();
  assert.equal(user, 'newcomer');
  assert.match(activity, /^[\d.]+ (s|min .*) ago$/);
  assert.match(address, /127\.0\.0\.1/);
  assert.match(agent, /Chrom/);
});

test('names can be looked for by how they begin, and leafed through', async () => {
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

test('a user is thrown out: their page says why, and stops', async () => {
  const target = await visitor('loud');
  target.person.tolerate(/status of 403/);
  const { page } = await administrator();
  await page.locator('#prefix').fill('loud'); // others may fill the first page
  await page.locator('#rows button', { hasText: 'loud' }).click();
  await sees(page, '#facts', 'welcome');
  await page.locator('#reason').fill('too loud');
  await page.locator('#kick').click();
  await sees(page, '#one-outcome', 'loud was thrown out.');
  await sees(target.page, '#notices', 'too loud');
  await sees(target.page, '#state', 'stopped');
});

test('a user is locked, which their page says, and unlocked, and may come again', async () => {
  const target = await visitor('debtor');
  target.person.tolerate(/status of 403/);
  const { page } = await administrator();
  await page.locator('#user').fill('debtor');
  await page.locator('#reason').fill('unpaid');
  await page.locator('#lock').click();
  await sees(page, '#facts', 'unpaid');
  await sees(target.page, '#notices', 'unpaid');
  await page.locator('#unlock').click();
  await sees(page, '#facts', 'welcome');
  await target.page.locator('#notices button').click();
  await isConnected(target.page);
});

test('a push reaches one user, a group, or all who are online, and nobody else', async () => {
  const [one, two, three] = [await visitor('one'), await visitor('two'), await visitor('three')];
  for (const user of ['one', 'two']) await home.stack.ask('PUT', `/groups/pair/${user}`);
  const { page } = await administrator();
  const tell = async (whom, to, text) => {
    await page.locator(`#push [value="${whom}"]`).check();
    if (to) await page.locator('#to').fill(to);
    await page.locator('#push textarea').fill(text);
    await page.locator('#push button').click();
  };
  await tell('user', 'one', 'for one');
  await sees(one.page, '#arrived', 'for one');
  await tell('group', 'pair', 'for the pair');
  await sees(page, '#pushed', '2 of 2 have it');
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
  await eventually('two polls are parked', async () => (await value('Polls parked')) >= 2);
  await eventually('pushes are counted', async () => {
    await home.stack.push('parked', 'counted');
    return (await value('Messages pushed')) > 0;
  });
  await eventually('so is what was delivered', async () => {
    await home.stack.push('parked', 'counted');
    return (await value('Messages delivered')) > 0;
  });
  await eventually('Redis takes its time', async () => (await value('A Redis command takes')) > 0);
  // One program serves both faces: it counts once.
  const [, bytes] = /^process_resident_memory_bytes ([^ ]+)$/m.exec(await (await fetch(`${home.stack.url}/metrics`)).text());
  const memory = await value('Memory of Letterbox');
  assert.ok(memory > 1 && memory < (1.5 * Number(bytes)) / 1e6, `${memory} MB, of ${bytes} bytes`);
  assert.match(await page.locator('[data-figure="Messages pushed"] svg').getAttribute('aria-label'), /now .* at most .* in the last two minutes/);
});

test('a look at who is online leaves the focus, and what is under the pointer, where it is', async () => {
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

test('what the server refuses is said in its words', async () => {
  const { person, page } = await administrator();
  person.tolerate(/status of 40[0-9]/);
  await page.locator('#user').fill('not a name!');
  await page.locator('#kick').click();
  await sees(page, '#one-outcome.bad', 'user');
  await page.locator('#push button').click();
  await sees(page, '#pushed.bad', /./);
  await page.locator('#user').fill('somebody');
  await page.locator('#for').fill('long');
  await page.locator('#kick').click();
  await sees(page, '#one-outcome.bad', 'for');
});

test('a server that wants its key is shown it, from this tab alone; a wrong one is refused', async () => {
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
  await sees(page, '#online-outcome.bad', 'signs');
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
  await sees(page, '#one-outcome.bad', 'user');
  assert.equal(await page.locator('main img, main script, [onerror]').count(), 0);
});
