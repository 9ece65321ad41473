// SPDX-License-Identifier: MIT
//
// letterbox.js in several tabs of a real browser, with its locks, channels and dialogs: pages of a
// site of one's own, whose users have tokens.

import assert from 'node:assert/strict';
import { eventually, house, Person, test } from './browser.mjs';

const home = house();

const tokenFor = async user => (await home.stack.ask('POST', '/tokens', { json: { user } })).token;

/** A tab with a Letterbox that notes its messages. The page itself has none: no user is named. */
async function tabOf(person, options) {
  const page = await person.open('/');
  await page.evaluate(async given => {
    const { Letterbox } = await import('/letterbox.js');
    globalThis.heard = [];
    globalThis.box = new Letterbox(given);
    globalThis.box.on('message', ({ data }) => void globalThis.heard.push(data));
    for (const type of ['close', 'reset', 'missed', 'superseded']) globalThis.box.on(type, ({ code }) => globalThis.heard.push(`${type} ${code}`));
    await new Promise(resolve => globalThis.box.on('open', resolve));
  }, options);
  return page;
}

const heard = page => page.evaluate(() => globalThis.heard);
const leads = page => page.evaluate(() => globalThis.box.leading);
const client = page => page.evaluate(() => globalThis.box.client);

test('two people in one browser, each with a token: neither gets a message of the other', async () => {
  const browser = await Person.named(null);
  const [alice, second, bob] = [await tokenFor('al'), await tokenFor('al'), await tokenFor('bo')];
  const tabs = [await tabOf(browser, { token: alice }), await tabOf(browser, { token: second }), await tabOf(browser, { token: bob })];
  assert.deepEqual(await Promise.all(tabs.map(leads)), [true, false, true]);
  for (const [user, text] of [['al', 'for al'], ['bo', 'for bo'], ['al', 'last, for al'], ['bo', 'last, for bo']]) await home.stack.push(user, text);
  const both = ['al', 'al', 'bo'].map(name => [`for ${name}`, `last, for ${name}`]);
  await eventually('each has their own', async () => JSON.stringify(await Promise.all(tabs.map(heard))) === JSON.stringify(both));
  assert.equal(await client(tabs[0]), await client(tabs[1]));
  assert.notEqual(await client(tabs[0]), await client(tabs[2]));
});

test('a tab with an alert() open is replaced by a visible one, and follows when that is closed, without loss or doubling', async () => {
  const browser = await Person.named(null);
  // A poll of a second: the follower waits for that and 15 s more.
  const options = { user: 'stuck', timeout: 1 };
  const [first, second] = [await tabOf(browser, options), await tabOf(browser, options)];
  assert.deepEqual([await leads(first), await leads(second)], [true, false]);
  await home.stack.push('stuck', 'before');
  await eventually('both have it', async () => (await heard(first)).length === 1 && (await heard(second)).length === 1);

  browser.answerDialogs = false;
  const opened = first.waitForEvent('dialog');
  const stuck = first.evaluate(() => alert('stop'));
  const dialog = await opened;
  await second.bringToFront();
  await home.stack.push('stuck', 'meanwhile');
  await eventually('the second polls', () => leads(second));
  await eventually('the second has it', async () => (await heard(second)).length === 2);
  await home.stack.push('stuck', 'and more');
  await eventually('the second has that too', async () => (await heard(second)).length === 3);

  await dialog.accept();
  await stuck;
  await eventually('the first follows', async () => !(await leads(first)));
  await home.stack.push('stuck', 'after');
  const all = ['before', 'meanwhile', 'and more', 'after'];
  for (const page of [first, second]) await eventually('all is there', async () => (await heard(page)).length >= all.length);
  assert.deepEqual([await heard(first), await heard(second)], [all, all]);
  assert.equal(await leads(second), true);
  const { clients } = await home.stack.mailbox('stuck');
  assert.equal(clients.length, 1, 'under one name all the time');
});
