// SPDX-License-Identifier: MIT
//
// The user's messages of a chat that the server has not taken yet. They are kept in this browser
// and sent in their order, one after the other, again and again until the server has them. Each
// has an id of its own, so that a message that was taken twice is shown once.

import { push, Refused } from './server.js';

const PREFIX = 'letterbox.outbox ';
// Milliseconds between two attempts.
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 15_000;

const random = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), byte => byte.toString(16).padStart(2, '0')).join('');

/** Waits this many milliseconds, or until the network is back. */
function pause(wait) {
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener('online', end);
      resolve();
    };
    const timer = setTimeout(end, wait);
    addEventListener('online', end);
  });
}

/** The outbox of one user. `changed` is called when a message was added or removed. */
export class Outbox {
  #user;
  #changed;
  #begin;
  #closed = false;
  #count = 0;
  /** Messages that storage did not take. */
  #memory = new Map();
  #running = false;

  constructor(user, changed) {
    this.#user = user;
    this.#changed = changed;
    this.#begin = `${PREFIX}${user} `;
    this.#run();
  }

  close() {
    this.#closed = true;
  }

  /** Tells whether a key of localStorage is of this outbox. */
  holds(key) {
    return key?.startsWith(this.#begin) ?? false;
  }

  add(room, text) {
    const now = Date.now();
    const order = `${String(now).padStart(14, '0')}-${String(this.#count++).padStart(6, '0')}`;
    this.#write({ key: `${this.#begin}${order}`, room, text, id: random(), time: now });
    this.#run();
  }

  /** The messages in their order; `refused` has the server's words if it will never take this one. */
  entries() {
    const kept = [];
    try {
      for (const key of Object.keys(localStorage)) {
        if (this.holds(key)) kept.push({ ...JSON.parse(localStorage.getItem(key)), key });
      }
    } catch {
      // Storage is forbidden: then only those in memory are left.
    }
    return [...kept, ...this.#memory.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
  }

  remove(key) {
    this.#memory.delete(key);
    try {
      localStorage.removeItem(key);
    } catch {
      // The message was in memory only.
    }
    this.#changed();
  }

  #write(entry) {
    const { key, ...rest } = entry;
    try {
      localStorage.setItem(key, JSON.stringify(rest));
      this.#memory.delete(key);
    } catch {
      this.#memory.set(key, entry);
    }
    this.#changed();
  }

  /** Sends all messages. One tab at a time does this, if the browser has locks. */
  async #run() {
    if (this.#running) return;
    this.#running = true;
    const work = () => this.#empty();
    await (navigator.locks ? navigator.locks.request(this.#begin, work) : work());
    this.#running = false;
    if (!this.#closed && this.#next()) this.#run();
  }

  #next() {
    return this.entries().find(entry => !entry.refused);
  }

  async #empty() {
    let wait = FIRST_WAIT;
    for (let entry = this.#next(); entry && !this.#closed; entry = this.#next()) {
      try {
        const { room, text, id } = entry;
        await push({ to: `group:${room}`, type: 'chat', json: { room, from: this.#user, text, id } });
        this.remove(entry.key);
        wait = FIRST_WAIT;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (!error.retryAfter) {
          this.#write({ ...entry, refused: error.message });
          continue;
        }
        await pause(Math.max(wait, error.retryAfter));
        wait = Math.min(wait * 2, LONGEST_WAIT);
      }
    }
  }
}
