// SPDX-License-Identifier: MIT
//
// Claims that hold whether messages come by polls or by a stream: each is a test for both.

import { test as nodeTest } from 'node:test';

/** What a Letterbox of the present test has, unless it says. */
export const present = { transport: 'poll' };

/** What it says of itself while its request is at the server. */
export const waits = () => (present.transport === 'poll' ? 'polling' : 'streaming');

/** How many requests come before the one that is held: a first look. */
export const looks = () => (present.transport === 'poll' ? 1 : 0);

export function test(claim, work) {
  for (const transport of ['poll', 'stream'])
    nodeTest(`${claim} [${transport}]`, async () => {
      present.transport = transport;
      await work(transport);
    });
}

/** A test of polls alone, in a file that tests both. */
export function testOfPolls(claim, work) {
  nodeTest(claim, async () => {
    present.transport = 'poll';
    await work();
  });
}
