// SPDX-License-Identifier: MIT
//
// Time that passes only when a test says so. Timers stand still while the machine sleeps, the clock
// on the wall does not.

/** Lets everything happen that needs no time: promises, and what follows from them. */
export async function settle() {
  for (let round = 0; round < 3; ++round) await new Promise((resolve) => setImmediate(resolve));
}

export class Clock {
  #running = 0;
  #slept = Date.UTC(2026, 0, 1);
  #timers = new Map();
  #last = 0;

  /** The time on the wall clock, in milliseconds since 1970. */
  get now() {
    return this.#running + this.#slept;
  }

  /** How long the machine has been awake. */
  get running() {
    return this.#running;
  }

  setTimeout = (call, wait = 0) => {
    // As in browsers: a delay that does not fit into 31 bits is none at all.
    const due = this.#running + (wait > 0x7fffffff ? 0 : Math.max(wait, 0));
    this.#timers.set(++this.#last, { due, call });
    return this.#last;
  };

  clearTimeout = (timer) => {
    this.#timers.delete(timer);
  };

  /** Lets that many milliseconds pass, and calls the timers that are due in them in order. */
  async advance(milliseconds) {
    const end = this.#running + milliseconds;
    await settle();
    for (let next; (next = this.#next(end)); await settle()) {
      this.#timers.delete(next.timer);
      this.#running = Math.max(this.#running, next.due);
      next.call();
    }
    this.#running = end;
  }

  /** The lid is closed for that many milliseconds. A negative one: the clock was put back. */
  sleep(milliseconds) {
    this.#slept += milliseconds;
  }

  #next(end) {
    let next;
    for (const [timer, { due, call }] of this.#timers)
      if (due <= end && (!next || due < next.due)) next = { timer, due, call };
    return next;
  }
}
