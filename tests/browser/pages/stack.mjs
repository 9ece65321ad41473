// SPDX-License-Identifier: MIT
//
// Letterbox as its users start it, by scripts/service, in a directory and on a port of its
// own; and what a back end would ask of it.

import { execFile, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

// Milliseconds: a deadline for conditions that must come true, however slow the machine.
export const DEADLINE = 60_000;

const run = promisify(execFile);
const running = new Set();

/** A TCP port of loopback that was free a moment ago. */
function sparePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** This environment with the settings, and without any LETTERBOX_* except the programs' path. */
function environment(settings) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('LETTERBOX_') || name === 'LETTERBOX_BUILD');
  return { ...Object.fromEntries(kept), LETTERBOX_SKIP_BUILD: '1', LETTERBOX_DEMO: '1', ...settings };
}

export class Stack {
  #environment;

  constructor(directory, port, settings) {
    this.directory = directory;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#environment = environment(settings);
  }

  /** Starts one; `settings` are variables such as {LETTERBOX_OPEN: '0'}. `prepare` is called with its directory first. */
  static async start(settings = {}, prepare = () => {}) {
    const stack = new Stack(await mkdtemp('/tmp/lb.'), await sparePort(), settings);
    running.add(stack);
    await prepare(stack.directory);
    await stack.service('start');
    return stack;
  }

  /** scripts/service VERB. */
  async service(verb) {
    try {
      const port = verb === 'stop' ? [] : ['--port', String(this.port)];
      return await run(`${ROOT}scripts/service`, [verb, '--dir', this.directory, ...port], { cwd: this.directory, env: this.#environment, timeout: 120_000 });
    } catch (error) {
      throw new Error(`scripts/service ${verb}: ${error.stdout}${error.stderr}\n${await this.logs()}`);
    }
  }

  async stop() {
    await this.service('stop');
    running.delete(this);
    await rm(this.directory, { recursive: true, force: true });
  }

  /** The end of each part's log. */
  async logs() {
    let text = '';
    for (const part of ['redis', 'poll', 'push', 'nginx', 'jobs', 'login']) {
      const log = await readFile(`${this.directory}/log/${part}.log`, 'utf8').catch(() => '');
      text += log.split('\n').slice(-6).map(line => `${part}: ${line}\n`).join('');
    }
    return text;
  }

  async ask(method, path, { json, text } = {}) {
    const headers = json === undefined ? {} : { 'Content-Type': 'application/json' };
    const response = await fetch(this.url + path, { method, headers, body: json === undefined ? text : JSON.stringify(json) });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  push(to, data, type = 'message') {
    const query = new URLSearchParams({ to, type });
    return this.ask('POST', `/push?${query}`, typeof data === 'string' ? { text: data } : { json: data });
  }

  user(name) {
    return this.ask('GET', `/users?${new URLSearchParams({ user: name })}`);
  }

  mailbox(name) {
    return this.ask('GET', `/mailbox?${new URLSearchParams({ user: name })}`);
  }
}

/** Waits for a condition: until it is true, or the deadline has passed. */
export async function eventually(claim, look) {
  const end = Date.now() + DEADLINE;
  for (let last; ; ) {
    try {
      last = await look();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`not within ${DEADLINE / 1000} s: ${claim} (last seen: ${last})`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

/** If a test did not reach its end: it was interrupted, or has failed. */
export async function stopAll() {
  await Promise.all([...running].map(stack => stack.stop()));
}

// At a signal node's test runner waits for nothing, so stacks that are still up are taken down at
// once.
process.on('exit', () => {
  for (const { directory } of running) {
    spawnSync(`${ROOT}scripts/service`, ['stop', '--dir', directory], { stdio: 'ignore', timeout: 60_000 });
    rmSync(directory, { recursive: true, force: true });
  }
});
for (const [signal, status] of Object.entries({ SIGHUP: 129, SIGINT: 130, SIGTERM: 143 })) process.once(signal, () => process.exit(status));
