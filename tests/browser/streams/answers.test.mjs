// SPDX-License-Identifier: MIT
//
// Properties of a stream that clients take for granted and don't show: its headers, its comments,
// its last line.

import assert from 'node:assert/strict';
import { EventSource } from 'eventsource';
import { eventually } from '../pages/stack.mjs';
import { house, streamUrl, test } from './house.mjs';

// Comments come as fast as the settings allow.
const home = house({ LETTERBOX_STREAM_PING: '0.05' });

const textOf = async url => (await fetch(url)).text();

test('it is text/event-stream, and kept by no cache, proxy or compression (format-mime-bogus, request-cache-control)', async () => {
  const url = streamUrl(home.stack, { user: 'headers', timeout: '1' });
  const { headers, status, body } = await fetch(url, { headers: { 'Accept-Encoding': 'gzip, br' } });
  await body.cancel();
  assert.equal(status, 200);
  assert.deepEqual(Object.fromEntries(['content-type', 'cache-control', 'x-accel-buffering', 'content-encoding', 'content-length'].map(name => [name, headers.get(name)])), {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'content-encoding': null,
    'content-length': null,
  });
});

test('a client’s Accept header does not matter (request-accept)', async () => {
  for (const Accept of ['text/event-stream', 'application/json', '*/*']) {
    const response = await fetch(streamUrl(home.stack, { user: 'accepts' }), { headers: { Accept } });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    await response.body.cancel();
  }
});

test('only GET opens one (request-post-to-connect)', async () => {
  for (const method of ['POST', 'PUT', 'HEAD']) {
    const { status } = await fetch(streamUrl(home.stack, { user: 'methods' }), { method });
    assert.equal(status, 405, method);
  }
});

test('its first line says when to come back, and it ends with a whole event that says so, too (format-data-before-final-empty-line, format-field-retry)', async () => {
  await home.stack.push('whole', 'text');
  const text = await textOf(streamUrl(home.stack, { user: 'whole', after: '0', timeout: '1' }));
  assert.match(text, /^retry: [1-3]\d{3}\n/);
  const [, retry, told] = /\nretry: (\d+)\nevent: letterbox\.end\ndata: \{"reason":"timeout","retry_after_ms":(\d+)\}\n\n$/.exec(text);
  assert.equal(retry, told);
});

test('comments come while no events do, and no client takes them for events (format-comments)', async () => {
  const comments = { count: 0 };
  const counting = async (url, options) => {
    const response = await fetch(url, options);
    const count = new TransformStream({
      transform(chunk, controller) {
        comments.count += new TextDecoder().decode(chunk).split('\n').filter(line => line.startsWith(':')).length;
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body.pipeThrough(count), response);
  };
  const heard = [];
  const source = new EventSource(streamUrl(home.stack, { user: 'comments', format: 'raw' }), { fetch: counting });
  try {
    source.onmessage = ({ data }) => heard.push(data);
    await eventually('ten comments', () => comments.count >= 10);
    await home.stack.push('comments', 'one');
    const before = comments.count;
    await eventually('ten more', () => comments.count >= before + 10);
    await home.stack.push('comments', 'two');
    await eventually('both messages', () => heard.length >= 2);
    assert.deepEqual(heard, ['one', 'two']);
  } finally {
    source.close();
  }
});

test('each empty line ends an event with data', async () => {
  await home.stack.push('lines', 'text');
  const text = await textOf(streamUrl(home.stack, { user: 'lines', after: '0', timeout: '1' }));
  for (const event of text.split('\n\n').slice(0, -1)) assert.match(event, /^data: /m);
});
