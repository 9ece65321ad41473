// SPDX-License-Identifier: MIT
//
// Readers of streams in a browser, while faults strike the server: EventSource itself, and
// libraries that pages are written with.

import assert from 'node:assert/strict';
import { eventually, house, test } from '../pages/browser.mjs';
import { Auditor, CUTS, pushThroughBlows } from '../streams/blows.mjs';
import { CLOSED, messagesOf, ownOf } from '../streams/record.mjs';
import { pageWith, fetchEventSourceScript, HTMX, openIn, TURBO, visitor } from './pages.mjs';

const home = house({ LETTERBOX_DEMO: '0' });

const item = n => `<li>${n}</li>`;
const toTurbo = n => `<turbo-stream action="append" target="list"><template>${item(n)}</template></turbo-stream>`;
const numberIn = markup => Number(/<li>(\d+)<\/li>/.exec(markup)[1]);

/** The numbers in a page's list, which a library has filled. */
const listed = page => page.locator('li').evaluateAll(items => items.map(one => Number(one.textContent)));

/** Has the page write down the events of a library's EventSources. */
const WATCH = `{
  const Native = EventSource;
  globalThis.watched = [];
  globalThis.EventSource = class extends Native {
    constructor(...args) {
      super(...args);
      globalThis.watched.push(globalThis.record(this));
    }
  };
}`;
const watched = page => page.evaluate(() => globalThis.watched.map(({ events, cuts, state }) => ({ events, cuts, state })));

async function nativeReader(person) {
  const page = await pageWith(person);
  const stream = await openIn(page, '/events?user=plain&client=native');
  return {
    name: 'EventSource',
    user: 'plain',
    heard: () => stream.look(),
    has: async () => messagesOf(await stream.look()).map(({ id, data }) => ({ id, n: JSON.parse(data).data })),
  };
}

async function fetchReader(person) {
  const page = await pageWith(person, '', [await fetchEventSourceScript()]);
  await page.evaluate(() => {
    globalThis.heard = { events: [], cuts: [], state: 1 };
    globalThis.fetchEventSource('/events?user=plain&client=fetch', {
      openWhenHidden: true,
      // The library calls this for every empty line. If this throws it reads no further, and begins
      // again.
      onmessage({ id, event, data }) {
        JSON.parse(data);
        globalThis.heard.events.push({ type: event || 'message', id, data });
      },
      // The library takes the end of a stream for the end, unless this says otherwise.
      onclose() { throw new Error('cut'); },
      onerror() { globalThis.heard.cuts.push(performance.now()); },
    }).finally(() => { globalThis.heard.state = 2; });
  });
  const look = () => page.evaluate(() => globalThis.heard);
  return {
    name: '@microsoft/fetch-event-source',
    user: 'plain',
    heard: look,
    has: async () => messagesOf(await look()).map(({ id, data }) => ({ id, n: JSON.parse(data).data })),
  };
}

async function listReader(person, name, user, scripts, body) {
  const page = await pageWith(person, body, [WATCH, ...scripts]);
  return {
    name,
    user,
    async heard() {
      const [source, ...more] = await watched(page);
      assert.deepEqual(more, [], 'it never needed another EventSource');
      return source;
    },
    has: async () => (await listed(page)).map(n => ({ n })),
  };
}

const htmxReader = person => listReader(person, 'htmx-ext-sse', 'htmx', HTMX, `<div hx-ext="sse" sse-connect="/events?user=htmx&format=raw">
  <ul sse-swap="message" hx-swap="beforeend"></ul></div>`);

const turboReader = person => listReader(person, '<turbo-stream-source>', 'turbo', TURBO, `<ul id="list"></ul>
  <turbo-stream-source src="/events?user=turbo&format=raw"></turbo-stream-source>`);

test('400 messages, while the program, nginx’ workers and Redis’ connections are killed in turn', async t => {
  const person = await visitor(home.stack);
  const readers = [];
  for (const make of [nativeReader, fetchReader, htmxReader, turboReader]) readers.push(await make(person));
  const auditors = new Map();
  const envelopes = n => [{ to: 'plain', data: n }, { to: 'htmx', data: item(n) }, { to: 'turbo', data: toTurbo(n) }];
  await pushThroughBlows(home.stack, envelopes, async number => {
    for (const { name, user, has } of readers) {
      if (!auditors.has(user)) auditors.set(user, await Auditor.named(home.stack, user));
      await eventually(`${name} has ${number} messages`, async () => (await has()).some(({ n }) => n === number - 1));
    }
  });
  for (const { name, user, has, heard } of readers) {
    const messages = await auditors.get(user).messages(user === 'plain' ? Number : numberIn);
    await t.test(`${name}: all, once, in order`, async () => {
      await eventually('the last is there', async () => (await has()).length >= messages.length);
      const shown = await has();
      assert.deepEqual(shown.map(({ n }) => n), messages.map(({ data }) => (user === 'plain' ? data : numberIn(data))));
      if (shown[0].id) assert.deepEqual(shown.map(({ id }) => id), messages.map(({ id }) => id));
      assert.deepEqual([...ownOf(await heard(), 'missed'), ...ownOf(await heard(), 'reset')], []);
    });
    await t.test(`${name}: cut each time, and never closed for good`, async () => {
      const { cuts, state } = await heard();
      assert.ok(cuts.length >= CUTS, `${cuts.length} cuts`);
      assert.notEqual(state, CLOSED);
    });
  }
});
