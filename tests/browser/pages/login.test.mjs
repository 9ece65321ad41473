// SPDX-License-Identifier: MIT
//
// The page Login and its back end, on a server that believes no names in requests: no --open.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { eventually, house, isConnected, Person, sees, test } from './browser.mjs';
import { ROOT, Stack } from './stack.mjs';

const home = house({ LETTERBOX_OPEN: '0' });

const arrived = page => page.locator('#arrived .said').allTextContents();

async function logIn(page, name) {
  await page.locator('#login-name').fill(name);
  await page.locator('#in button').click();
  await sees(page, '#user', name);
  await isConnected(page);
}

/** A person who is logged in; each has a browser of their own. */
async function visitor(name, where) {
  const person = await Person.named(null, {}, where);
  const page = await person.open('/login');
  await logIn(page, name);
  return { person, page };
}

async function send(page, to, text) {
  await page.locator('#to').fill(to);
  await page.locator('#text').fill(text);
  await page.locator('#send button').click();
}

test('by keyboard alone: log in, send a note, get it, and log out', async () => {
  const page = await (await Person.named(null)).open('/login');
  await sees(page, '#state', 'logged out');
  assert.equal(await page.locator('#text').isDisabled(), true);
  await page.locator('#login-name').focus();
  await page.keyboard.type('keyed');
  await page.keyboard.press('Enter');
  await isConnected(page);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'out');
  await page.locator('#text').focus();
  await page.keyboard.type('typed by hand');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await sees(page, '#arrived', '{"from":"keyed","text":"typed by hand"}');
  await page.locator('#out').focus();
  await page.keyboard.press('Enter');
  await sees(page, '#state', 'logged out');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'login-name');
  assert.deepEqual(await arrived(page), []);
});

test('the server believes no name, and only a token lets the page poll', async () => {
  assert.equal((await fetch(`${home.stack.url}/poll?user=alice&timeout=0`)).status, 401);
  const { page } = await visitor('alice');
  await home.stack.push('alice', 'from outside');
  await sees(page, '#arrived', 'from outside');
  const { tokens } = await home.stack.ask('GET', '/tokens?user=alice');
  assert.ok(tokens.length > 0 && tokens.every(({ expires, created }) => expires - created === 600_000), JSON.stringify(tokens));
});

test('a note reaches its recipient alone, and names its sender', async () => {
  const [ann, ben] = [await visitor('ann'), await visitor('ben')];
  await send(ann.page, 'ben', 'hello Ben');
  await sees(ann.page, '#sent', 'Delivered');
  await sees(ben.page, '#arrived', 'hello Ben');
  assert.deepEqual([await arrived(ann.page), await arrived(ben.page)], [[], ['{"from":"ann","text":"hello Ben"}']]);
});

test('a login lasts over a reload, and in all tabs; so does a logout', async () => {
  const { person, page } = await visitor('stays');
  await home.stack.push('stays', 'kept');
  await sees(page, '#arrived', 'kept');
  await page.reload();
  await isConnected(page);
  await sees(page, '#user', 'stays');
  assert.deepEqual(await arrived(page), ['kept']);
  const second = await person.open('/login');
  await isConnected(second);
  await page.locator('#out').click();
  await sees(second, '#state', 'logged out');
  await logIn(second, 'another');
  await sees(page, '#user', 'another');
  await home.stack.push('stays', 'for nobody here');
  await home.stack.push('another', 'for another');
  for (const tab of [page, second]) {
    await sees(tab, '#arrived', 'for another');
    assert.deepEqual(await arrived(tab), ['for another']);
  }
});

test('neither scripts nor storage know the cookie or the token', async () => {
  const { person, page } = await visitor('secret');
  const [cookie] = await person.context.cookies(`${home.stack.url}/login/in`);
  assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, cookie.path], ['login', true, 'Strict', '/login/']);
  const known = await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }));
  assert.equal(/lb_|[0-9a-f]{64}/.test(known), false, known);
});

test('a token that is revoked is replaced, and nothing is lost', async () => {
  const { person, page } = await visitor('renewed');
  person.tolerate(/status of 401/);
  await home.stack.ask('DELETE', '/tokens?user=renewed');
  await home.stack.push('renewed', 'meanwhile');
  await sees(page, '#arrived', 'meanwhile');
  await isConnected(page);
  assert.equal((await home.stack.ask('GET', '/tokens?user=renewed')).tokens.length, 1);
  assert.deepEqual(await arrived(page), ['meanwhile']);
});

test('a refusal of the back end is shown: a name, and a recipient that is a group or the star', async () => {
  const person = await Person.named(null);
  person.tolerate(/status of 400/);
  const page = await person.open('/login');
  for (const name of ['', 'a b', '<b>', 'x'.repeat(65)]) {
    await page.locator('#login-name').fill(name);
    await page.locator('#in button').click();
    await sees(page, '#in-outcome.bad', '1 to 64 letters');
    await page.locator('#login-name').fill('');
  }
  await logIn(page, 'sender');
  for (const to of ['*', 'group:watchers', 'a,b', '']) {
    await send(page, to, 'x');
    await sees(page, '#sent.bad', '1 to 64 letters');
    await send(page, 'sender', 'y');
    await sees(page, '#sent:not(.bad)', 'Delivered');
  }
});

test('the page shows its back end’s source, and says so if the back end does not run', async () => {
  const person = await Person.named(null);
  person.tolerate(/status of 502/);
  const page = await person.open('/login');
  await sees(page, '#source', 'class BackEnd');
  assert.equal(await page.locator('#source code').textContent(), await readFile(`${ROOT}nginx/www/login.py`, 'utf8'));
  await page.route('**/login/in', route => route.fulfill({ status: 502, contentType: 'application/json', body: '{"error":{"code":"away","message":"…","terminal":false,"retry_after_ms":1000}}' }));
  await page.locator('#login-name').fill('alice');
  await page.locator('#in button').click();
  await sees(page, '#in-outcome.bad', 'not running');
});

test('the back end sends the key to a server that needs one, the page never does', async () => {
  const KEY = 'a-key-of-the-browser-tests';
  const stack = await Stack.start({ LETTERBOX_OPEN: '0', LETTERBOX_KEY_FILE: 'key' }, directory => writeFile(`${directory}/key`, `${KEY}\n`, { mode: 0o600 }));
  const { person, page } = await visitor('keyed', stack);
  const asked = [];
  page.on('request', request => asked.push(JSON.stringify(request.headers()) + request.postData()));
  await send(page, 'keyed', 'by a key');
  await sees(page, '#arrived', 'by a key');
  assert.ok(asked.length > 0 && !asked.join().includes(KEY));
  await person.context.close();
  await stack.stop();
});

test('markup in a note and its type stays text', async () => {
  const evil = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  const { page } = await visitor('target');
  await send(page, 'target', evil);
  await home.stack.push('target', evil, evil.slice(0, 60));
  await eventually('both are shown', async () => (await arrived(page)).length === 2);
  assert.equal(await page.locator('main img, main script, [onerror]').count(), 0);
});
