// SPDX-License-Identifier: MIT
//
// The web platform tests' demands on a client with EventSource (web-platform-tests/wpt, folder
// eventsource), turned into demands on a stream of Letterbox. Each title ends with the name of its
// case. The caller brings the client: `open(url, { types })` as house.mjs has it, `test`, and a
// stack where streams are open.

import assert from 'node:assert/strict';
import { eventually } from '../pages/stack.mjs';
import { CLOSED, messagesOf, OPEN, ownOf } from './record.mjs';

// format-field-data, format-leading-space, event-data, format-field-parsing, format-comments
const LINES = [
  'one line', 'one\ntwo', 'one\n\n\ntwo', '\nbehind an empty line', 'before an empty line\n', '\n', '\n\n', ' ', ' one blank', '  two blanks', '\ta tab',
  'data: this', 'data', ':a comment', 'id: 7\nevent: made up\nretry: 1\n\ndata: made up', 'retry:1000\n:\n', 'null', '"', '',
];

// format-newlines
const ENDS = { 'one\rtwo': 'one\ntwo', 'one\r\ntwo': 'one\ntwo', 'one\n\rtwo': 'one\n\ntwo', '\r\r\n\n': '\n\n\n', 'end\r': 'end\n' };

// format-bom, format-bom-2, format-null-character, format-utf-8
const CHARACTERS = ['\uFEFFdata: a mark in front', 'one\n\uFEFFtwo', 'nothing \u0000 here', '\u0001\u001f\u007f', 'ok…', 'größe, 漢字, 🙂, \u2028\u2029\u0085', '🙂'.repeat(50_000)];

// format-field-event, format-field-event-empty: including the names that EventSource itself uses
const TYPES = ['mail', 'a:b', ': a', ' blank', 'größe 🙂', 'letterbox', '__proto__', 'open', 'error', 'x'.repeat(64)];

const envelopes = (to, data, type = 'message') => data.map(each => ({ to, data: each, type }));

export function platform({ house, open, streamUrl, test }) {
  const pushAll = json => house.stack.ask('POST', '/push', { json });
  const openFor = (user, query = {}, options = {}) => open(streamUrl(house.stack, { user, ...query }), options);

  /** Waits for that many messages, and returns them. */
  async function messages(stream, count) {
    await eventually(`${count} messages`, async () => messagesOf(await stream.look()).length >= count);
    return messagesOf(await stream.look());
  }

  const opened = (stream, times = 1) => eventually('it is open', async () => {
    const { opens, state } = await stream.look();
    return opens.length >= times && state === OPEN;
  });
  const closed = stream => eventually('it is closed', async () => (await stream.look()).state === CLOSED);

  /** Pushes these, and returns what an open stream has of each. */
  async function through(user, query, pushes, types) {
    const stream = await openFor(user, query, { types });
    await opened(stream);
    await pushAll(pushes);
    return messages(stream, pushes.length);
  }

  test('a stream is open before there is any message, or mailbox (eventsource-onopen)', async () => {
    const stream = await openFor('untouched');
    await opened(stream);
    assert.deepEqual((await stream.look()).events, []);
  });

  test('raw text is as pushed: empty lines, leading blanks, anything that looks like a field (format-field-data, format-leading-space, event-data)', async () => {
    const heard = await through('lines', { format: 'raw' }, envelopes('lines', LINES));
    assert.deepEqual(heard.map(({ data }) => data), LINES);
  });

  test('raw text has line feeds for CR, CR LF and LF (format-newlines)', async () => {
    const heard = await through('ends', { format: 'raw' }, envelopes('ends', Object.keys(ENDS)));
    assert.deepEqual(heard.map(({ data }) => data), Object.values(ENDS));
  });

  test('raw text keeps marks, zeros and characters of any plane (format-bom, format-null-character, format-utf-8)', async () => {
    const heard = await through('characters', { format: 'raw' }, envelopes('characters', CHARACTERS));
    assert.deepEqual(heard.map(({ data }) => data), CHARACTERS);
  });

  test('raw data other than text is its JSON', async () => {
    const data = [0, -1.5, true, null, [], { a: ['b\n'] }, 'text'];
    const heard = await through('values', { format: 'raw' }, envelopes('values', data));
    assert.deepEqual(heard.map(each => each.data), ['0', '-1.5', 'true', 'null', '[]', '{"a":["b\\n"]}', 'text']);
  });

  test('as JSON each message is one line, whatever is in it', async () => {
    const data = [...LINES, ...Object.keys(ENDS), ...CHARACTERS];
    const heard = await through('json', {}, envelopes('json', data));
    assert.deepEqual(heard.map(each => JSON.parse(each.data).data), data);
    assert.deepEqual(heard.map(each => JSON.parse(each.data).id), heard.map(({ id }) => id));
  });

  for (const format of ['json', 'raw']) {
    test(`a message’s type is the event’s, and a message of type message has none, as ${format} (format-field-event)`, async () => {
      const pushes = ['message', ...TYPES].map(type => ({ to: `typed-${format}`, data: 1, type }));
      const heard = await through(`typed-${format}`, { format }, pushes, TYPES);
      assert.deepEqual(heard.map(({ type }) => type), ['message', ...TYPES]);
    });
  }

  test('each event has the message’s id, from which the client goes on (format-field-id, eventsource-reconnect)', async () => {
    await pushAll(envelopes('goes-on', [1, 2, 3]));
    const stream = await openFor('goes-on', { after: '0', timeout: '1' });
    await messages(stream, 3);
    // The stream ends each second; a new one would begin at 0.
    await opened(stream, 3);
    const { id } = await house.stack.push('goes-on', 4);
    const heard = await messages(stream, 4);
    assert.deepEqual(heard.map(({ data }) => JSON.parse(data).data), [1, 2, 3, 4]);
    assert.equal(heard.at(-1).id, id);
    await opened(stream, (await stream.look()).opens.length + 2);
    assert.equal(messagesOf(await stream.look()).length, 4);
    for (const end of ownOf(await stream.look(), 'end')) assert.equal(end.reason, 'timeout');
  });

  test('a stream whose messages are not acknowledged by the time it ends does not report them as missed', async () => {
    const { id } = await house.stack.push('honest', 0);
    const stream = await openFor('honest', { after: id, timeout: '1' });
    await opened(stream, 2);
    await pushAll(envelopes('honest', [1, 2, 3]));
    await messages(stream, 3);
    await opened(stream, (await stream.look()).opens.length + 1);
    const heard = await stream.look();
    assert.deepEqual([...ownOf(heard, 'missed'), ...ownOf(heard, 'reset')], []);
  });

  test('a stream comes back no sooner than it was told (format-field-retry)', async () => {
    // Two with one name would supersede each other.
    const streams = [await openFor('rivals'), await openFor('rivals')];
    const heard = await eventually('one has come back', async () => {
      for (const stream of streams) {
        const now = await stream.look();
        if (now.opens.length >= 2) return now;
      }
      return null;
    });
    const [end] = ownOf(heard, 'end');
    assert.equal(end.reason, 'superseded');
    assert.ok(end.retry_after_ms >= 1000, `${end.retry_after_ms} ms`);
    const away = heard.opens[1] - heard.cuts[0];
    assert.ok(away >= end.retry_after_ms - 5, `told ${end.retry_after_ms} ms, back after ${away} ms`);
  });

  test('a stream that its client closes is gone for the server, too (eventsource-close, eventsource-request-cancellation)', async () => {
    await house.stack.push('leaves', 1);
    const stream = await openFor('leaves', { after: '0' });
    await messages(stream, 1);
    await eventually('it waits', async () => (await house.stack.mailbox('leaves')).polls === 1);
    await stream.close();
    await eventually('it does not', async () => (await house.stack.mailbox('leaves')).polls === 0);
  });

  test('a client that is kicked is told so, and stops at 204 (eventsource-reconnect, request-status-error)', async () => {
    const stream = await openFor('thrown');
    await opened(stream);
    await eventually('it waits', async () => (await house.stack.mailbox('thrown')).polls === 1);
    await house.stack.ask('POST', '/users/kick', { json: { user: 'thrown', for: 600 } });
    await closed(stream);
    const heard = await stream.look();
    assert.deepEqual(ownOf(heard, 'end').map(({ reason }) => reason), ['kicked']);
    assert.equal(heard.opens.length, 1);
    await house.stack.push('thrown', 'unheard');
    assert.equal((await house.stack.mailbox('thrown')).polls, 0);
  });

  test('a client that is locked out is told so, and stops at 403 (request-status-error)', async () => {
    const stream = await openFor('locked');
    await opened(stream);
    await eventually('it waits', async () => (await house.stack.mailbox('locked')).polls === 1);
    await house.stack.ask('POST', '/users/lock', { json: { user: 'locked', reason: 'unpaid' } });
    await closed(stream);
    assert.deepEqual(ownOf(await stream.look(), 'end').map(({ reason }) => reason), ['kicked']);
    assert.equal((await stream.look()).opens.length, 1);
  });

  const refused = {
    'no identity (401)': ['/events', {}],
    'a bad token (401)': ['/events', { token: 'forged' }],
    'a bad name (400)': ['/events', { user: 'a b' }],
    'a bad life (400)': ['/events', { user: 'a', timeout: '0' }],
    'a bad format (400)': ['/events', { user: 'a', format: 'xml' }],
    'an unknown path (404)': ['/events/more', { user: 'a' }],
  };
  for (const [what, [path, query]] of Object.entries(refused)) {
    test(`${what} is refused by a status, at which a client stops (request-status-error)`, async () => {
      const stream = await open(`${house.stack.url}${path}?${new URLSearchParams(query)}`);
      await closed(stream);
      assert.equal((await stream.look()).opens.length, 0);
    });
  }

  test('two clients of a user each get every message, of streams or polls', async () => {
    const streams = [await openFor('shared', { client: 'a' }), await openFor('shared', { client: 'b', format: 'raw' })];
    for (const stream of streams) await opened(stream);
    const { id } = await house.stack.push('shared', 'to both');
    for (const stream of streams) assert.equal((await messages(stream, 1))[0].id, id);
    const polled = await house.stack.ask('GET', '/poll?user=shared&client=c&after=0&timeout=0');
    assert.deepEqual(polled.messages.map(message => message.id), [id]);
  });

  test('?after=now begins after the newest message', async () => {
    await pushAll(envelopes('newest', ['old', 'older']));
    const stream = await openFor('newest', { after: 'now', format: 'raw' });
    await opened(stream);
    await eventually('it waits', async () => (await house.stack.mailbox('newest')).polls === 1);
    await house.stack.push('newest', 'new');
    assert.deepEqual((await messages(stream, 1)).map(({ data }) => data), ['new']);
  });

  test('?after=now: a message that is pushed after the first stream has ended without one comes by the second', async () => {
    await house.stack.push('since', 'old');
    const stream = await openFor('since', { after: 'now', format: 'raw', timeout: '1' });
    await opened(stream);
    await eventually('it waits', async () => (await house.stack.mailbox('since')).polls === 1);
    await eventually('it has ended, and something was pushed before it is back', async () => {
      if ((await house.stack.mailbox('since')).polls > 0) return false;
      await house.stack.push('since', 'between');
      return true;
    });
    const heard = await messages(stream, 1);
    assert.equal(heard[0].data, 'between');
  });
}
