// SPDX-License-Identifier: MIT
//
// A stack for the tests of a file, and npm's `eventsource` as their client.

import { after, before, test as nodeTest } from 'node:test';
import { EventSource } from 'eventsource';
import { DEADLINE, Stack, stopAll } from '../pages/stack.mjs';
import { record } from './record.mjs';

const sources = new Set();

/** Starts a stack for all tests of a file. */
export function house(settings) {
  let stack;
  before(async () => { stack = await Stack.start({ LETTERBOX_DEMO: '0', ...settings }); }, { timeout: 3 * DEADLINE });
  after(stopAll, { timeout: 3 * DEADLINE });
  return { get stack() { return stack; } };
}

/** A test whose streams are closed when it ends. */
export function test(claim, work) {
  nodeTest(claim, { timeout: 5 * DEADLINE }, async context => {
    try {
      await work(context);
    } finally {
      for (const source of sources) source.close();
      sources.clear();
    }
  });
}

/** Opens a stream; `types` are those to listen for in addition to `message`. */
export function open(url, { types } = {}) {
  const source = new EventSource(url);
  sources.add(source);
  const heard = record(source, types);
  return { look: async () => heard, close: async () => source.close() };
}

export const streamUrl = (stack, query) => `${stack.url}/events?${new URLSearchParams(query)}`;
