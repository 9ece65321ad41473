// SPDX-License-Identifier: MIT
//
// npm's `eventsource`, while faults strike the server.

import assert from 'node:assert/strict';
import { Auditor, CUTS, pushThroughBlows } from './blows.mjs';
import { house, open, streamUrl, test } from './house.mjs';
import { CLOSED, messagesOf, ownOf } from './record.mjs';
import { eventually } from '../pages/stack.mjs';

const home = house();

const READERS = {
  json: data => JSON.parse(data).data,
  raw: Number,
};

test('400 messages, while the program, nginx’ workers and Redis’ connections are killed in turn', async t => {
  const { stack } = home;
  const readers = Object.entries(READERS).map(([format, numberOf]) => ({
    format,
    numberOf,
    stream: open(streamUrl(stack, { user: 'reader', client: format, format })),
  }));
  let auditor;
  await pushThroughBlows(stack, n => ({ to: 'reader', data: n }), async number => {
    auditor ??= await Auditor.named(stack, 'reader');
    for (const { format, numberOf, stream } of readers) {
      await eventually(`${format} has ${number} messages`, async () => messagesOf(await stream.look()).some(({ data }) => numberOf(data) === number - 1));
    }
  });
  const truth = (await auditor.messages(Number)).map(({ id, data }) => [id, data]);
  for (const { format, numberOf, stream } of readers) {
    const heard = await stream.look();
    await t.test(`eventsource, ${format}: all, once, in order`, async () => {
      await eventually('the last is there', () => messagesOf(heard).at(-1).id === truth.at(-1)[0]);
      assert.deepEqual(messagesOf(heard).map(({ id, data }) => [id, numberOf(data)]), truth);
      assert.deepEqual([...ownOf(heard, 'missed'), ...ownOf(heard, 'reset')], []);
    });
    await t.test(`eventsource, ${format}: cut each time, and never closed for good`, () => {
      assert.ok(heard.cuts.length >= CUTS, `${heard.cuts.length} cuts`);
      assert.notEqual(heard.state, CLOSED);
    });
  }
});
