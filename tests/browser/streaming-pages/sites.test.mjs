// SPDX-License-Identifier: MIT
//
// Which pages may read a stream: those of its own site with what the browser knows (cookies), those
// of another site if the server names it (--origin). Cases of the web platform tests for
// EventSource again.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { eventually, house, test } from '../pages/browser.mjs';
import { Stack } from '../pages/stack.mjs';
import { endPart } from '../streams/blows.mjs';
import { record, CLOSED, messagesOf, OPEN, ownOf } from '../streams/record.mjs';
import { openIn, pageWith, visitor } from './pages.mjs';

const home = house({ LETTERBOX_DEMO: '0' });

// Two sites that are other sites than the stack at 127.0.0.1: the stack names one, the other not.
const servers = [];
let named;
let stranger;
let stack;

before(async () => {
  const sites = [];
  for (const _ of [1, 2]) {
    const server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><link rel="icon" href="data:,">'));
    await new Promise(done => server.listen(0, 'localhost', done));
    servers.push(server);
    sites.push(`http://localhost:${server.address().port}`);
  }
  [named, stranger] = sites;
  stack = await Stack.start({ LETTERBOX_DEMO: '0', LETTERBOX_ORIGIN: named });
});
after(() => servers.forEach(server => server.close()));

async function pageAt(site) {
  const person = await visitor(stack);
  person.tolerate(/^request to http:\/\/localhost:/);
  person.tolerate(/^console: .*CORS policy/);
  const page = await person.context.newPage();
  await page.goto(site);
  await page.evaluate(`globalThis.record = ${record};`);
  return page;
}

const isOpen = (stream, times = 1) => eventually('it is open', async () => {
  const { opens, state } = await stream.look();
  return opens.length >= times && state === OPEN;
});
const textsOf = async stream => messagesOf(await stream.look()).map(({ data }) => data);
const hears = (stream, texts) => eventually(`it has ${texts}`, async () => assert.deepEqual(await textsOf(stream), texts) ?? true);

const tokenOf = async user => (await stack.ask('POST', '/tokens', { json: { user } })).token;

test('a cookie is enough for pages of the site itself (request-credentials)', async () => {
  const person = await visitor(stack);
  await person.context.addCookies([{ name: 'letterbox_token', value: await tokenOf('cookie'), url: stack.url, sameSite: 'Lax' }]);
  const stream = await openIn(await pageWith(person), '/events?format=raw');
  await isOpen(stream);
  await stack.push('cookie', 'by a cookie');
  await hears(stream, ['by a cookie']);
});

for (const withCredentials of [false, true]) {
  test(`a page of a named site reads a stream, ${withCredentials ? 'with' : 'without'} credentials, and goes on where it was (eventsource-cross-origin, eventsource-cross-origin-preflight)`, async () => {
    const user = `guest-${withCredentials}`;
    const query = new URLSearchParams({ token: await tokenOf(user), format: 'raw', timeout: '1', after: '0' });
    const stream = await openIn(await pageAt(named), `${stack.url}/events?${query}`, { withCredentials });
    await isOpen(stream);
    await stack.push(user, 'one');
    await hears(stream, ['one']);
    await isOpen(stream, (await stream.look()).opens.length + 1);
    await stack.push(user, 'two');
    await hears(stream, ['one', 'two']);
  });
}

test('a page of an unnamed site reads nothing, and does not try again (eventsource-cross-origin)', async () => {
  const query = new URLSearchParams({ token: await tokenOf('private') });
  const stream = await openIn(await pageAt(stranger), `${stack.url}/events?${query}`);
  await eventually('it is closed', async () => (await stream.look()).state === CLOSED);
  assert.deepEqual((await stream.look()).events, []);
});

test('a page of another site that is refused stops (request-status-error)', async () => {
  const stream = await openIn(await pageAt(named), `${stack.url}/events?token=forged`);
  await eventually('it is closed', async () => (await stream.look()).state === CLOSED);
});

test('a page of a named site also waits for a program that is away', async () => {
  const query = new URLSearchParams({ token: await tokenOf('patient'), format: 'raw' });
  const stream = await openIn(await pageAt(named), `${stack.url}/events?${query}`);
  await isOpen(stream);
  await stack.push('patient', 'here');
  await hears(stream, ['here']);
  await endPart(stack, 'poll');
  await eventually('it is told', async () => ownOf(await stream.look(), 'end').some(({ reason }) => reason === 'away'));
  assert.notEqual((await stream.look()).state, CLOSED);
  await stack.service('start');
  await stack.push('patient', 'back');
  await hears(stream, ['here', 'back']);
});

test('an EventSource in a worker reads like one in a page (dedicated-worker)', async () => {
  const person = await visitor(home.stack);
  person.tolerate(/^request to blob:/);
  const page = await pageWith(person);
  await page.evaluate(() => {
    const script = `const source = new EventSource('${location.origin}/events?user=worker&format=raw');
      source.onopen = () => postMessage('open');
      source.onmessage = ({ data }) => postMessage(data);`;
    globalThis.heard = [];
    globalThis.worker = new Worker(URL.createObjectURL(new Blob([script])));
    globalThis.worker.onmessage = ({ data }) => globalThis.heard.push(data);
  });
  const heard = () => page.evaluate(() => globalThis.heard);
  await eventually('it is open', async () => (await heard()).length === 1);
  await home.stack.push('worker', 'to work');
  await eventually('it is there', async () => (await heard()).length === 2);
  assert.deepEqual(await heard(), ['open', 'to work']);
});
