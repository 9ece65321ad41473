// SPDX-License-Identifier: MIT
//
// The page Start: from a name to a message, and what the server's troubles look like there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { eventually, house, isConnected, Person, sees, test } from './browser.mjs';
import { Stack } from './stack.mjs';

const home = house();
const run = promisify(execFile);

const arrived = page => page.locator('#arrived .said').allTextContents();

/** Tabs until the focus is where it is wanted. */
async function tabTo(page, selector) {
  for (let steps = 0; steps < 40; steps++) {
    if (await page.evaluate(wanted => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`the focus never came to ${selector}`);
}

test('by keyboard alone: past the header, a name, a text, and the message is there', async () => {
  const page = await (await Person.named(null)).open('/');
  await sees(page, '#state', 'no name yet');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
  await page.keyboard.press('Enter');
  await tabTo(page, '#name');
  await page.keyboard.type('keyed');
  await page.keyboard.press('Enter');
  await isConnected(page);
  await tabTo(page, '#text');
  await page.keyboard.type('typed by hand');
  await tabTo(page, '#send button');
  await page.keyboard.press('Enter');
  await sees(page, '#arrived', 'typed by hand');
  await sees(page, '#sent:not(.bad)', /Delivered|Kept/);
});

test('a name that is taken away leaves the page as it was when it was new', async () => {
  const page = await (await Person.named('gone')).open('/');
  await isConnected(page);
  await home.stack.push('gone', 'for gone alone');
  await sees(page, '#arrived', 'for gone alone');
  await page.locator('#name').fill('');
  await page.locator('#who button').click();
  await sees(page, '#state', 'no name yet');
  assert.deepEqual(await arrived(page), []);
});

test('?user= makes a tab, and the pages it leads to, somebody else’s', async () => {
  const person = await Person.named('first');
  await isConnected(await person.open('/'));
  const page = await person.open('/?user=second');
  await isConnected(page);
  await home.stack.push('second', 'for the second');
  await sees(page, '#arrived', 'for the second');
  await page.locator('nav a', { hasText: 'Mail' }).click();
  await page.waitForURL('**/mail?user=second');
  assert.equal(await page.locator('#name').inputValue(), 'second');
});

test('a message that is pushed from outside is shown, with its type', async () => {
  const page = await (await Person.named('shown')).open('/');
  await isConnected(page);
  await home.stack.push('shown', { from: 'bob' }, 'mail');
  await sees(page, '#arrived .badge', 'mail');
  assert.deepEqual(await arrived(page), ['{"from":"bob"}']);
});

test('what arrived while no page was open, and what was there before a reload, is shown, each once', async () => {
  const person = await Person.named('reloads');
  await home.stack.push('reloads', 'before');
  const page = await person.open('/');
  await sees(page, '#arrived', 'before');
  await page.goto('about:blank');
  await home.stack.push('reloads', 'meanwhile');
  await page.goto(home.stack.url);
  await sees(page, '#arrived', 'meanwhile');
  await page.reload();
  await home.stack.push('reloads', 'after');
  await sees(page, '#arrived', 'after');
  assert.deepEqual(await arrived(page), ['after', 'meanwhile', 'before']);
});

for (const text of ["it's", '@file', '$HOME `id` $(id) "x" \\n %00 &amp; # ! ~', "line one\nline two\n'", "''\\''", '-d x', 'grüße, 漢字, 🙂']) {
  test(`the curl line that is shown for ${JSON.stringify(text)} sends the same from a shell`, async () => {
    const person = await Person.named('quoting');
    const page = await person.open('/');
    await isConnected(page);
    await page.locator('#to').fill('quoting');
    await page.locator('#type').fill("a'b c");
    await page.locator('#text').fill(text);
    const line = await page.locator('#send-line code').textContent();
    const before = (await arrived(page)).length;
    await run('/bin/sh', ['-c', line]);
    await eventually('it has arrived', async () => (await arrived(page)).length > before);
    assert.equal((await arrived(page))[0], text);
    assert.equal(await page.locator('#arrived .badge').first().textContent(), "a'b c");
  });
}

test('Copy puts the line into the clipboard', async () => {
  const person = await Person.named('copies', { permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await person.open('/');
  await page.locator('#text').fill("it's");
  await page.locator('#send-line button').click();
  await sees(page, '#send-line button', 'Copied');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.locator('#send-line code').textContent());
});

test('what the server refuses is said in its own words: a name, a recipient, a type, an empty text', async () => {
  const person = await Person.named('odd name <b>');
  person.tolerate(/status of 400/);
  const page = await person.open('/');
  await sees(page, '#notices', 'bad_user');
  await sees(page, '#state', 'stopped');
  for (const [to, type, text, words] of [['b b', '', 'x', 'user'], ['bob', 'x'.repeat(65), 'x', 'type'], ['bob', '', '', 'body']]) {
    await page.locator('#to').fill(to);
    await page.locator('#type').fill(type);
    await page.locator('#text').fill(text);
    await page.locator('#send button').click();
    await sees(page, '#sent.bad', words);
  }
  await page.locator('#name').fill('mended');
  await page.locator('#who button').click();
  await isConnected(page);
});

test('a huge text is shown in part, and one of a type of its own in any case', async () => {
  const page = await (await Person.named('huge')).open('/');
  await isConnected(page);
  await home.stack.push('huge', 'x'.repeat(200_000), 'close');
  await sees(page, '#arrived', '200,000 characters');
  await home.stack.push('huge', [[[null, { __proto__: 1 }]]], '__proto__');
  await sees(page, '#arrived', '[[[null');
  assert.equal(await page.locator('#state-word').textContent(), 'connected');
});

test('a period without network: the page says so, and has all of it when the network is back', async () => {
  const person = await Person.named('offline');
  person.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const page = await person.open('/');
  await isConnected(page);
  await person.context.setOffline(true);
  await sees(page, '#state', 'offline');
  for (const text of ['one', 'two', 'three']) await home.stack.push('offline', text);
  await person.context.setOffline(false);
  await sees(page, '#arrived', 'three');
  await isConnected(page);
  assert.deepEqual(await arrived(page), ['three', 'two', 'one']);
});

test('thrown out: the page says why, and asks no more until told', async () => {
  const person = await Person.named('kicked');
  person.tolerate(/status of 403/);
  const page = await person.open('/');
  await isConnected(page);
  await eventually('its poll is parked', async () => (await home.stack.mailbox('kicked')).polls === 1);
  await home.stack.ask('POST', '/users/kick', { json: { user: 'kicked', reason: 'too loud', for: 2 } });
  await sees(page, '#notices', 'too loud');
  await sees(page, '#state', 'stopped');
  await home.stack.push('kicked', 'while out');
  assert.equal((await home.stack.mailbox('kicked')).polls, 0);
  await eventually('it may come in again', async () => {
    if (await page.locator('#state-word', { hasText: 'connected' }).isVisible()) return true;
    const again = page.locator('#notices button');
    if (await again.isVisible()) await again.click();
    return false;
  });
  await sees(page, '#arrived', 'while out');
});

test('locked: the page says why; unlocked, it goes on where it was', async () => {
  const person = await Person.named('locked');
  person.tolerate(/status of 403/);
  const page = await person.open('/');
  await isConnected(page);
  await home.stack.ask('POST', '/users/lock', { json: { user: 'locked', reason: 'unpaid' } });
  await sees(page, '#notices', 'unpaid');
  await home.stack.push('locked', 'kept');
  await home.stack.ask('POST', '/users/unlock', { json: { user: 'locked' } });
  await page.locator('#notices button').click();
  await sees(page, '#arrived', 'kept');
});

test('two tabs share one poll; when the one that polls is closed the other goes on, without loss or doubling', async () => {
  const person = await Person.named('tabs');
  const first = await person.open('/');
  await isConnected(first);
  const second = await person.open('/');
  await isConnected(second);
  await home.stack.push('tabs', 'one');
  for (const page of [first, second]) await sees(page, '#arrived', 'one');
  const { clients, polls } = await home.stack.mailbox('tabs');
  assert.equal(clients.length, 1);
  assert.ok(polls <= 1, `${polls} polls`);
  const closed = first.close();
  const all = ['one'];
  for (let n = 0; n < 20; n++) {
    all.push(`number ${n}`);
    await home.stack.push('tabs', `number ${n}`);
  }
  await closed;
  await sees(second, '#arrived', 'number 19');
  assert.deepEqual((await arrived(second)).reverse(), all);
  await eventually('the other tab polls, as the same client', async () => {
    const now = await home.stack.mailbox('tabs');
    return now.polls === 1 && now.clients.length === 1;
  });
});

test('the server is replaced, and later away for a while: nothing is lost or comes twice', async () => {
  const stack = await Stack.start();
  const person = await Person.named('restarts', {}, stack);
  person.tolerate(/status of 50[234]|ERR_CONNECTION_(REFUSED|RESET)|ERR_EMPTY_RESPONSE/);
  const page = await person.open('/');
  await isConnected(page);
  await stack.push('restarts', 'before');
  await sees(page, '#arrived', 'before');
  await stack.service('restart');
  await stack.push('restarts', 'replaced');
  await sees(page, '#arrived', 'replaced');
  await stack.service('stop');
  await sees(page, '#state', 'trying again');
  await stack.service('start');
  await stack.push('restarts', 'back');
  await sees(page, '#arrived', 'back');
  await isConnected(page);
  assert.deepEqual(await arrived(page), ['back', 'replaced', 'before']);
  await person.context.close();
  await stack.stop();
});

test('markup in every field, name and message of the page stays text', async () => {
  const evil = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  const person = await Person.named(evil);
  person.tolerate(/status of 400/);
  const page = await person.open('/');
  await sees(page, '#notices', 'bad_user');
  for (const field of ['#to', '#type', '#text']) await page.locator(field).fill(evil);
  await page.locator('#send button').click();
  await sees(page, '#sent.bad', 'user');
  await page.locator('#name').fill('target');
  await page.locator('#who button').click();
  await isConnected(page);
  await home.stack.push('target', evil, evil.slice(0, 60));
  await home.stack.push('target', { [evil]: evil }, 'mail');
  await sees(page, '#arrived', `{"${evil}`);
  assert.equal(await page.locator('main img, main script, [onerror]').count(), 0);
  assert.deepEqual(await arrived(page), [JSON.stringify({ [evil]: evil }), evil]);
});
