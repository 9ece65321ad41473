// SPDX-License-Identifier: MIT
//
// Faults that strike a stack while streams are open, and 400 messages that are pushed meanwhile.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { eventually } from '../pages/stack.mjs';

const COUNT = 400;
const BETWEEN_BLOWS = 40;

async function pidOf(stack, part) {
  return Number(await readFile(`${stack.directory}/run/${part}.pid`, 'utf8'));
}

async function childrenOf(pid) {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').map(Number).filter(child => child > 0);
}

async function killChildren(stack, part) {
  const parent = await pidOf(stack, part);
  const children = await childrenOf(parent);
  assert.ok(children.length > 0, `${part} has no children`);
  for (const child of children) process.kill(child, 'SIGKILL');
  await eventually(`${part} has new children`, async () => {
    const now = await childrenOf(parent);
    return now.length > 0 && now.every(child => !children.includes(child));
  });
}

/** SIGKILL for letterbox-poll; multiwatch starts another. */
const killProgram = stack => killChildren(stack, 'poll');

/** SIGKILL for each worker of nginx, so that every stream is struck; the master starts others. */
const killNginxWorkers = stack => killChildren(stack, 'nginx');

/** Redis closes every connection that a program has to it. */
function cutRedis(stack) {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(`${stack.directory}/run/redis.sock`, () => socket.write('CLIENT KILL TYPE normal\r\n'));
    socket.setEncoding('utf8');
    socket.on('error', reject);
    socket.on('data', text => {
      answer += text;
      if (!answer.endsWith('\r\n')) return;
      socket.destroy();
      if (/^:[1-9]/.test(answer)) resolve();
      else reject(new Error(`CLIENT KILL: ${answer}`));
    });
  });
}

const BLOWS = [killProgram, killNginxWorkers, cutRedis];

/** How often every stream is cut: cutting Redis' connections cuts no client's. */
export const CUTS = 6;

/** Ends the program (`poll`) or `redis` in good order; nothing starts another. */
export async function endPart(stack, part) {
  const pid = await pidOf(stack, part);
  process.kill(pid, 'SIGTERM');
  await eventually(`${part} has ended`, () => childrenOf(pid).then(() => false, () => true));
}

/** Has nginx accept at most that many streams and polls of one address at once. */
export async function limitConnections(stack, most) {
  const main = `${stack.directory}/nginx/nginx.conf`;
  const text = await readFile(main, 'utf8');
  await writeFile(main, text.replace('include letterbox-upstream.conf;', 'include letterbox-upstream.conf; include limits.conf;'));
  const limits = await readFile(`${stack.directory}/nginx/limits-poll.conf`, 'utf8');
  await writeFile(`${stack.directory}/nginx/letterbox-poll.conf`, limits.replace('letterbox_by_address 1000', `letterbox_by_address ${most}`));
  const pid = await pidOf(stack, 'nginx');
  const before = await childrenOf(pid);
  process.kill(pid, 'SIGHUP');
  await eventually('nginx has other workers', async () => {
    const now = await childrenOf(pid);
    return now.length > 0 && now.every(child => !before.includes(child));
  });
}

/**
 * Pushes the envelopes of 0, 1, 2, … while the stack is struck nine times. A push is tried
 * again until it is accepted. Each blow strikes open streams: before it, every reader has all
 * messages that were pushed.
 */
export async function pushThroughBlows(stack, envelopes, haveAll) {
  let blow = Promise.resolve();
  for (let n = 0; n < COUNT; n++) {
    if (n > 0 && n % BETWEEN_BLOWS === 0) {
      await blow;
      await haveAll(n);
      const strike = BLOWS[(n / BETWEEN_BLOWS - 1) % BLOWS.length];
      blow = strike(stack);
      blow.catch(() => {}); // until it is awaited
    }
    await eventually(`message ${n} is taken`, () => stack.ask('POST', '/push', { json: envelopes(n) }));
  }
  await blow;
}

/** A reader that has read nothing until the end: so all messages of its user are kept. */
export class Auditor {
  #stack;
  #user;

  static async named(stack, user) {
    const auditor = new Auditor();
    auditor.#stack = stack;
    auditor.#user = user;
    await auditor.#poll(1);
    return auditor;
  }

  #poll(limit) {
    const query = new URLSearchParams({ user: this.#user, client: 'auditor', after: '0', timeout: '0', limit: String(limit) });
    return this.#stack.ask('GET', `/poll?${query}`);
  }

  /**
   * The messages that were accepted, in order. A push whose answer was lost in a blow may have
   * been accepted twice, under two ids; no number is missing.
   */
  async messages(numberOf) {
    const { messages, missed } = await this.#poll(1000);
    assert.equal(missed, 0);
    const numbers = messages.map(({ data }) => numberOf(data)).filter((n, at, all) => n !== all[at - 1]);
    assert.deepEqual(numbers, Array.from({ length: COUNT }, (_, n) => n));
    return messages;
  }
}
