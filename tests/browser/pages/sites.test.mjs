// SPDX-License-Identifier: MIT
//
// A page of another site, in the browser of a user who is signed in here.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { eventually, house, Person, test } from './browser.mjs';

const home = house();

// Another site to a browser: the stack is at 127.0.0.1.
let site;
let server;
before(async () => {
  server = createServer((_, response) => response.end('<!doctype html><title>elsewhere</title>'));
  await new Promise(done => server.listen(0, 'localhost', done));
  site = `http://localhost:${server.address().port}/`;
});
after(() => server.close());

async function elsewhere(cookies = []) {
  const person = await Person.named(null);
  person.tolerate(/^request to http:\/\/localhost:/);
  person.tolerate(/^console: .*(403|favicon)/);
  const { context } = person;
  await context.addCookies(cookies.map(cookie => ({ domain: '127.0.0.1', path: '/', sameSite: 'Lax', ...cookie })));
  const page = await context.newPage();
  await page.goto(site);
  return page;
}

test('it can’t push, since there is no key that it would have to know', async () => {
  const page = await elsewhere();
  await page.evaluate(url => fetch(url, { method: 'POST', mode: 'no-cors', body: 'hello' }), `${home.stack.url}/push?to=victim`);
  assert.equal((await home.stack.mailbox('victim')).queued, 0);
});

test('it can’t send the browser to a poll that a cookie would admit', async () => {
  const { token } = await home.stack.ask('POST', '/tokens', { json: { user: 'reader' } });
  await home.stack.push('reader', 'for the reader alone');
  const page = await elsewhere([{ name: 'letterbox_token', value: token }]);
  const [opened] = await Promise.all([
    page.context().waitForEvent('page'),
    page.evaluate(url => { window.open(url); }, `${home.stack.url}/poll?client=phone&timeout=0`),
  ]);
  await eventually('the poll is refused', async () => (await opened.textContent('body')).includes('cross_site'));
  assert.deepEqual((await home.stack.mailbox('reader')).clients, []);
  // The same by hand is the reader's own.
  await opened.goto('about:blank');
  await opened.goto(`${home.stack.url}/poll?client=phone&timeout=0`);
  assert.match(await opened.textContent('body'), /for the reader alone/);
});
