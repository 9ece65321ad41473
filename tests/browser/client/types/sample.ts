// SPDX-License-Identifier: MIT
//
// A page in TypeScript, checked against letterbox.d.ts and never run.

import { Letterbox, busy, keepAlive } from '../../../../nginx/www/letterbox.js';
import type { Alive, LetterboxMessage, LetterboxOptions } from '../../../../nginx/www/letterbox.js';

const options: LetterboxOptions = { url: '/', token: async () => 'x', client: 'phone', ack: 'manual', timeout: 25 };
const box = new Letterbox(options);
new Letterbox({ transport: 'stream', start: false });
new Letterbox({ token: ({ refused }) => (refused ? 'new' : 'old'), start: false });

const away: () => void = box.on('mail', async (message) => {
  const { id, kind, data, time }: LetterboxMessage = message;
  console.log(id.length, kind, data.from, new Date(time));
  message.ack();
});
box.on('error', ({ code, message, status, terminal, retryIn }) => {
  const said: string = `${code} ${message}`;
  const number: number = status + retryIn;
  const end: boolean = terminal;
  console.log(said, number, end);
});
box.on('missed', ({ count }) => count.toFixed());
box.on('superseded', (event) => event.preventDefault());
box.on('state', ({ state, wait }) => (state === 'waiting' ? wait : undefined));
box.addEventListener('open', () => {});
const [cursor, leading]: [string, boolean] = [box.cursor, box.leading];
const alive: Promise<Alive> = box.alive();
const kept: Promise<number> = box.keepAlive(Promise.resolve(1));
const bare: Promise<string> = keepAlive(Promise.resolve(''), { onBeat: (answer) => (answer instanceof Error ? answer.message : answer.unread) });
const free: () => void = busy(document.createElement('button'), async (event) => event.type);
away();
free();
console.log(cursor, leading, alive, kept, bare);

// @ts-expect-error: there is no such way to acknowledge
new Letterbox({ ack: 'never' });
// @ts-expect-error: there is no such transport
new Letterbox({ transport: 'socket' });
// @ts-expect-error: the cursor is moved by acknowledging
box.cursor = '0';
// @ts-expect-error: state has these values and no others
box.on('state', ({ state }) => state === 'asleep');
