// SPDX-License-Identifier: MIT
//
// A passing error is told in a stream that ends and says when to come back, by the program or by
// nginx in its place: never by a status at which a client would stop. `open(stack, path)` opens a
// stream in the client that is tested.

import assert from 'node:assert/strict';
import { eventually, Stack } from '../pages/stack.mjs';
import { endPart, limitConnections } from './blows.mjs';
import { CLOSED, messagesOf, OPEN, ownOf } from './record.mjs';

const isOpen = stream => eventually('it is open', async () => (await stream.look()).state === OPEN);

/** Waits until a stream has told this reason, and not to come back at once. */
async function told(stream, reason) {
  const end = await eventually(`it is told ${reason}`, async () => ownOf(await stream.look(), 'end').find(end => end.reason === reason));
  assert.ok(end.retry_after_ms >= 1000, `${end.retry_after_ms} ms`);
  assert.notEqual((await stream.look()).state, CLOSED);
}

async function hears(stack, stream, user, texts) {
  await stack.push(user, texts.at(-1));
  await eventually(`${texts.at(-1)} is there`, async () => messagesOf(await stream.look()).length >= texts.length);
  assert.deepEqual(messagesOf(await stream.look()).map(({ data }) => JSON.parse(data).data), texts);
}

export function passes({ open, test }) {
  const withStack = (claim, settings, work) => test(claim, async () => {
    const stack = await Stack.start({ LETTERBOX_DEMO: '0', ...settings });
    await work(stack);
    await stack.stop();
  });

  withStack('a program that is away: nginx says when to come back, and the stream goes on where it was', {}, async stack => {
    const stream = await open(stack, '/events?user=alice');
    await isOpen(stream);
    await hears(stack, stream, 'alice', ['before']);
    await endPart(stack, 'poll');
    assert.equal((await eventually('it is told', async () => ownOf(await stream.look(), 'end')[0])).reason, 'shutdown');
    await told(stream, 'away');
    await stack.service('start');
    await hears(stack, stream, 'alice', ['before', 'after']);
  });

  withStack('more streams than the limit: one that is turned away comes in when there is room', { LETTERBOX_MAX_PARKED: '1' }, async stack => {
    const first = await open(stack, '/events?user=first');
    await isOpen(first);
    await eventually('it waits', async () => (await stack.mailbox('first')).polls === 1);
    const second = await open(stack, '/events?user=second');
    await told(second, 'overloaded');
    await first.close();
    await eventually('the second waits', async () => (await stack.mailbox('second')).polls === 1);
    await hears(stack, second, 'second', ['at last']);
  });

  withStack('more streams of one address than nginx allows: one that is turned away comes in when there is room', {}, async stack => {
    await limitConnections(stack, 1);
    const first = await open(stack, '/events?user=first');
    await isOpen(first);
    const second = await open(stack, '/events?user=second');
    await told(second, 'away');
    await first.close();
    await eventually('the second waits', async () => (await stack.mailbox('second')).polls === 1);
    await hears(stack, second, 'second', ['at last']);
  });

  withStack('a Redis that is away: an open stream goes on, and a new one is told when to come back', {}, async stack => {
    const first = await open(stack, '/events?user=alice&client=first');
    await isOpen(first);
    await hears(stack, first, 'alice', ['before']);
    await endPart(stack, 'redis');
    const second = await open(stack, '/events?user=alice&client=second');
    await told(second, 'store_unavailable');
    await stack.service('start');
    await hears(stack, first, 'alice', ['before', 'after']);
    await eventually('the second has both', async () => messagesOf(await second.look()).length === 2);
  });
}
