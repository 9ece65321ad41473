// SPDX-License-Identifier: MIT
//
// Claims that hold whether messages come by polls or by a stream: each is a test for both.

import { test as nodeTest } from 'node:test';

/** The options of a Letterbox in the present test, unless the test says otherwise. */
export const present = { transport: 'poll' };

/** Its state while its request is at the server. */
export const waits = () => (present.transport === 'poll' ? 'polling' : 'streaming');

/** The number of requests before the one that is held: a first look. */
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
