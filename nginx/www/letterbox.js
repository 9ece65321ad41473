// SPDX-License-Identifier: MIT
//
// The browser client of Letterbox. Its types, and what each option means, are in letterbox.d.ts;
// the server's side is in fcgi/PROTOCOL.md. From the top: asking the server, when to ask again,
// the cursor's place, handing messages to handlers; Letterbox, which brings them together and
// shares with other tabs; keepAlive and busy, which stand alone.
//
// Whatever it takes of the browser (fetch, timers, storage, …) it looks up when it needs it.

/** @typedef {import('./letterbox.d.ts').LetterboxOptions} Options */
/** @typedef {import('./letterbox.d.ts').LetterboxState['state']} State */
/** @typedef {import('./letterbox.d.ts').Alive} Alive */
/** @typedef {import('./letterbox.d.ts').KeepAliveOptions} KeepAliveOptions */
/** @typedef {{ id: string, type: string, data: any, time: number }} Message as the server gives it */
/**
 * @typedef {object} Answer of `/poll`
 * @property {Message[]} messages
 * @property {string} cursor
 * @property {number} missed
 * @property {boolean} reset
 * @property {string} reason
 * @property {number} retry_after_ms
 */
/** @typedef {{ name: string, cursor: string, count: number }} Place */

// All times are milliseconds.
const PAUSE = 500; // after an empty answer
const FIRST_STEP = 1000; // of the backoff
const LAST_STEP = 120_000;
const GRACE = 15_000; // how late an answer or a timer may be before the machine is thought to have slept
const TICK = 10_000; // how often a poll looks at the clock
const BEAT_LIMIT = 30_000; // how long a heartbeat may take
const DAY = 86_400_000;

/** Events of the client's own. A message of such a type is an event `message` and nothing else. */
const OWN = new Set(['message', 'open', 'close', 'error', 'missed', 'reset', 'superseded', 'state']);

const REMEMBERED = 1000; // ids, so that what a tab has had is not given again; more than an answer has
const NEVER = new AbortController().signal; // is aborted never

/** Under this an event of a message has what its handlers promise. */
const PROMISES = Symbol('promises');

// --- asking the server -------------------------------------------------------

/** A request that failed, or was refused. */
class Refusal extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {number} status
   * @param {boolean} terminal
   * @param {number} retryAfter the server wants to be left alone for so long
   */
  constructor(code, message, status = 0, terminal = false, retryAfter = 0) {
    super(message);
    this.code = code;
    this.status = status;
    this.terminal = terminal;
    this.retryAfter = retryAfter;
  }
}

class Server {
  /** @param {Pick<Options, 'url' | 'token' | 'user'>} options */
  constructor({ url = '/', token, user }) {
    const page = globalThis.document?.baseURI ?? globalThis.location?.href;
    const { href, origin } = new URL(url, page);
    this.url = href.replace(/\/*([?#].*)?$/, '');
    this.token = token;
    this.user = user;
    /** @type {RequestCredentials} */
    this.credentials = origin === globalThis.location?.origin ? 'same-origin' : 'include';
  }

  /**
   * @param {'GET' | 'POST'} method
   * @param {string} path
   * @param {Record<string, string>} query
   * @param {(answer: any) => boolean} expected whether this is what such a request is answered by
   * @param {AbortSignal} signal
   * @returns {Promise<any>}
   * @throws {Refusal}
   */
  async ask(method, path, query, expected, signal) {
    const headers = await this.#authorization();
    const said = new URLSearchParams(this.user === undefined ? query : { ...query, user: this.user });
    let response, text;
    try {
      response = await fetch(`${this.url}/${path}?${said}`, {
        method,
        headers,
        signal,
        cache: 'no-store',
        credentials: this.credentials,
      });
      text = await response.text();
    } catch {
      // What the browser says of it is not passed on: it may quote a header, and so the token.
      throw new Refusal('network', 'the server could not be reached');
    }
    const answer = parsed(text);
    if (response.ok && expected(answer)) return answer;
    throw refusal(response, answer?.error);
  }

  async #authorization() {
    try {
      const token = typeof this.token === 'function' ? await this.token() : this.token;
      return /** @type {HeadersInit} */ (token ? { Authorization: `Bearer ${token}` } : {});
    } catch {
      throw new Refusal('token', 'there is no token: the function that gives it has failed');
    }
  }
}

/**
 * @param {Response} response
 * @param {any} error as Letterbox says it; anything else is a proxy's page, or worse
 */
function refusal({ status, headers }, error) {
  const wait = retryAfter(headers.get('Retry-After'));
  if (typeof error?.code !== 'string')
    return new Refusal('bad_answer', `status ${status}, and not an answer of Letterbox`, status, false, wait);
  const { code, message, terminal, retry_after_ms } = error;
  return new Refusal(code, String(message), status, terminal === true, Math.max(wait, milliseconds(retry_after_ms)));
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** @param {any} answer */
function isAnswer(answer) {
  return (
    Array.isArray(answer?.messages) &&
    answer.messages.every((/** @type {any} */ message) => typeof message?.id === 'string' && typeof message.type === 'string') &&
    typeof answer.cursor === 'string'
  );
}

/** @param {any} answer */
function isAlive(answer) {
  return typeof answer?.user === 'string';
}

/**
 * A wait that somebody else has said; a timer takes no more than 24 days, and would end at once.
 * @param {unknown} said
 */
function milliseconds(said) {
  return Math.min(Math.max(Number(said) || 0, 0), DAY);
}

/** @param {string | null} header seconds, or a date */
function retryAfter(header) {
  if (!header) return 0;
  return milliseconds(/^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now());
}

// --- when to ask again -------------------------------------------------------

/** Waits that double with each failure, each a random part of its step: a crowd comes back spread out. */
class Backoff {
  #step = FIRST_STEP;

  next(least = 0) {
    const wait = Math.random() * this.#step;
    this.#step = Math.min(this.#step * 2, LAST_STEP);
    return Math.max(1, least, Math.round(wait));
  }

  reset() {
    this.#step = FIRST_STEP;
  }
}

/**
 * Ends early when `signal` is aborted.
 * @param {number} wait
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function sleep(wait, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, wait);
    signal.addEventListener('abort', end);
  });
}

/**
 * A controller that `outer` aborts as well.
 * @param {AbortSignal} outer
 */
function within(outer) {
  const inner = new AbortController();
  if (outer.aborted) inner.abort();
  // Once it is aborted itself, nothing of it is left at `outer`.
  else outer.addEventListener('abort', () => inner.abort(), { signal: inner.signal });
  return inner;
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<undefined>}
 */
function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined));
  });
}

/**
 * Aborts `controller` when more than `limit` has passed, or when the clock was set or the machine
 * slept: its connections are dead then, and nobody says so. The clock on the wall is asked, since
 * others stand still meanwhile.
 * @param {AbortController} controller
 * @param {number} limit
 * @returns {() => boolean} ends the watch, and says whether it would abort now
 */
function watch(controller, limit) {
  const end = Date.now() + limit;
  let due = 0;
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const overslept = () => {
    const now = Date.now();
    return now > end || now > due + GRACE || now < due - TICK - GRACE;
  };
  const tick = () => {
    due = Date.now() + TICK;
    timer = setTimeout(() => (overslept() ? controller.abort() : tick()), TICK);
  };
  tick();
  return () => {
    clearTimeout(timer);
    return overslept();
  };
}

// --- the cursor's place ------------------------------------------------------

/**
 * Keeps the reader's name and its cursor: for a reload in sessionStorage, and where tabs share
 * also in localStorage. Ids are opaque, so beside the cursor stands how many messages have gone by
 * under it: of two places the one that counts more is the newer, and nothing is overwritten by an
 * older one.
 */
class Bookmark {
  /** @type {('localStorage' | 'sessionStorage')[]} */
  #shelves;
  #key;
  /** @type {Place} */
  #place;

  /**
   * @param {string} key
   * @param {boolean} shared
   * @param {string | undefined} client
   * @param {string} after
   */
  constructor(key, shared, client, after) {
    this.#shelves = shared ? ['localStorage', 'sessionStorage'] : ['sessionStorage'];
    this.#key = shared ? key : `${key} tab`;
    this.#place = { name: client ?? madeUp(), cursor: after, count: -1 };
    this.load();
    if (this.#place.count < 0) this.move(after, 1);
  }

  get place() {
    return this.#place;
  }

  /** Takes what is kept if it is as new; says how many messages have gone by since. */
  load() {
    const { count } = this.#place;
    for (const shelf of [...this.#shelves].reverse()) this.adopt(this.#read(shelf));
    return this.#place.count - count;
  }

  /** @param {Place | null} place */
  adopt(place) {
    if (place && place.count >= this.#place.count) this.#set(place);
  }

  /**
   * @param {string} cursor
   * @param {number} by so many messages
   */
  move(cursor, by) {
    this.#set({ ...this.#place, cursor, count: this.#place.count + by });
  }

  rename() {
    this.#set({ ...this.#place, name: madeUp() });
  }

  /** @param {Place} place */
  #set(place) {
    this.#place = place;
    for (const shelf of this.#shelves) {
      if ((this.#read(shelf)?.count ?? -1) > place.count) continue;
      try {
        globalThis[shelf].setItem(this.#key, JSON.stringify(place));
      } catch {
        // Blocked, or full: it is in memory.
      }
    }
  }

  /**
   * @param {'localStorage' | 'sessionStorage'} shelf
   * @returns {Place | null}
   */
  #read(shelf) {
    try {
      const { name, cursor, count } = JSON.parse(globalThis[shelf].getItem(this.#key) ?? '{}');
      const whole = /^[\w.@:+-]{1,64}$/.test(name) && typeof cursor === 'string' && Number.isSafeInteger(count);
      return whole ? { name, cursor, count } : null;
    } catch {
      return null;
    }
  }
}

function madeUp() {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  return `web-${Array.from(bytes, (byte) => (byte % 32).toString(32)).join('')}`;
}

// --- handing messages to handlers --------------------------------------------

/** Gives each message once to the handlers of this tab, one after the other. */
class Inbox {
  /** @type {Message[]} */
  #queue = [];
  #open = false;
  #running = false;
  #backoff = new Backoff();
  /**
   * The latest ids that were given or wait for it, oldest first; true: finished.
   * @type {Map<string, boolean>}
   */
  #known = new Map();

  /**
   * @param {(message: Message) => Promise<void>} give runs the handlers; fails if one of them does
   * @param {(message: Message) => void} given
   * @param {(message: Message, error: unknown, wait: number) => boolean} failed true: it and those after
   *   it come again by a poll. False: they are kept here, and tried again after `wait`
   */
  constructor(give, given, failed) {
    this.give = give;
    this.given = given;
    this.failed = failed;
  }

  open() {
    this.#open = true;
    this.#run();
  }

  /** The handlers that run end; the others' messages are kept. */
  close() {
    this.#open = false;
  }

  /** @param {Message[]} messages */
  take(messages) {
    for (const message of messages) {
      if (this.#known.has(message.id)) continue;
      this.#known.set(message.id, false);
      this.#queue.push(message);
    }
    for (const [id, finished] of this.#known) {
      if (this.#known.size <= REMEMBERED || !finished) break;
      this.#known.delete(id);
    }
    this.#run();
  }

  /** @param {string} id */
  finished(id) {
    return this.#known.get(id) === true;
  }

  /**
   * This one is done, and all before it.
   * @param {string} id
   */
  finish(id) {
    if (!this.#known.has(id)) return;
    for (const before of this.#known.keys()) {
      this.#known.set(before, true);
      if (before === id) return;
    }
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    while (this.#open && this.#queue.length) {
      const message = /** @type {Message} */ (this.#queue.shift());
      try {
        await this.give(message);
        this.#backoff.reset();
        this.given(message);
      } catch (error) {
        await this.#again(message, error);
      }
    }
    this.#running = false;
  }

  /**
   * @param {Message} message
   * @param {unknown} error
   */
  async #again(message, error) {
    const wait = this.finished(message.id) ? 0 : this.#backoff.next();
    const fetched = this.failed(message, error, wait);
    if (!wait) return; // acknowledged by hand before it failed
    this.#queue.unshift(message);
    if (!fetched) return sleep(wait, NEVER);
    for (const { id } of this.#queue) this.#known.delete(id);
    this.#queue = [];
  }
}

// --- Letterbox ---------------------------------------------------------------

/**
 * A reader of a mailbox: polls, gives each message to its handlers, acknowledges, and goes on
 * through whatever happens to the network. Of the tabs that share one poll the one that holds a
 * lock polls (it leads), and tells the others what came. Each runs its own handlers; the leader's
 * count as the acknowledgement. What tabs say to each other is in `#hear`.
 *
 * Handlers given by `on` count: their promises are waited for, and where one fails the message
 * comes again. Listeners given by `addEventListener` do not: a browser does not say that one of
 * them has thrown.
 *
 * Where tabs may be signed in as different people say `user`, also beside a token: tabs share by
 * url, user and client.
 */
export class Letterbox extends EventTarget {
  // Constant after construction.
  #server;
  #client;
  #timeout;
  #manual;
  #key;
  #inbox;
  #backoff = new Backoff();

  // How it stands.
  #shared;
  #bookmark;
  #closed = true;
  #begun = false;
  #leading = false;
  /** Answered since it began, and no error since. While not, it looks instead of waiting, and so knows at once. */
  #healthy = false;
  #offline = false;
  #kicked = false;
  /** The wait is for the network, not for the server. */
  #unreachable = false;
  /** @type {State | undefined} */
  #state;
  /** What handlers have been told of the answer to which cursor: an answer that comes again is not news. */
  #said = { after: '', missed: 0, reset: false };

  // What goes on, and how it is ended.
  /** From open() to the end. */
  #life = new AbortController();
  /** The same, but for the time that the page is hidden away for the button "back". */
  #run = new AbortController();
  /** @type {AbortController | undefined} */
  #polling;
  /** @type {AbortController | undefined} */
  #waiting;
  /** @type {BroadcastChannel | undefined} */
  #channel;
  /**
   * The leader's: given to handlers, not acknowledged.
   * @type {Message[]}
   */
  #hand = [];
  /**
   * The hand is empty; or after `wait` its messages are to be fetched again.
   * @type {(wait: number) => void}
   */
  #settled = () => {};

  /** @param {Options} options */
  constructor({ url, token, user, client, share = true, ack = 'auto', after = '0', timeout = 25, start = true } = {}) {
    super();
    this.#server = new Server({ url, token, user });
    this.#client = client;
    this.#timeout = timeout;
    this.#manual = ack === 'manual';
    this.#key = ['letterbox', this.#server.url, user, client].join(' ');
    this.#shared = share && Boolean(globalThis.navigator?.locks && globalThis.BroadcastChannel);
    this.#bookmark = new Bookmark(this.#key, this.#shared, client, after);
    this.#inbox = new Inbox(
      (message) => this.#give(message),
      (message) => this.#manual || this.#acknowledge(message.id),
      (message, error, wait) => this.#failed(message, error, wait),
    );
    if (start) this.open();
  }

  get cursor() {
    return this.#bookmark.place.cursor;
  }

  get client() {
    return this.#bookmark.place.name;
  }

  get leading() {
    return this.#leading;
  }

  get closed() {
    return this.#closed;
  }

  /**
   * @param {string} type
   * @param {(event: any) => unknown} handler
   */
  on(type, handler) {
    const listener = (/** @type {any} */ event) => {
      if (event[PROMISES]) event[PROMISES].push((async () => handler(event))());
      else handler(event);
    };
    this.addEventListener(type, listener);
    return () => this.removeEventListener(type, listener);
  }

  open() {
    if (!this.#closed) return;
    this.#closed = false;
    this.#life = new AbortController();
    const { signal } = this.#life;
    const hear = globalThis.addEventListener?.bind(globalThis);
    hear?.('offline', () => this.#wentOffline(), { signal });
    hear?.('online', () => this.#wentOnline(), { signal });
    hear?.('pagehide', () => this.#pause(), { signal });
    hear?.('pageshow', (event) => event.persisted && this.#begin(), { signal });
    this.#begin();
  }

  close() {
    this.#end({ code: 'closed', message: 'closed by the page', status: 0 });
  }

  /** @returns {Promise<Alive>} */
  alive() {
    return this.#server.ask('POST', 'alive', { client: this.client }, isAlive, NEVER);
  }

  /**
   * @template T
   * @param {Promise<T>} work
   * @param {KeepAliveOptions} [options]
   */
  keepAlive(work, options) {
    const { url, token, user } = this.#server;
    return keepAlive(work, { url, token, user, ...options });
  }

  // - beginning and ending

  #begin() {
    if (this.#begun && !this.#run.signal.aborted) return;
    // Whatever other tabs have acknowledged while this one did not listen does not come any more.
    const gone = this.#bookmark.load();
    if (this.#begun && gone > 0) this.#emit('missed', { count: gone });
    this.#begun = true;
    this.#healthy = this.#offline = this.#kicked = false;
    this.#state = undefined;
    this.#hand = [];
    this.#run = new AbortController();
    this.#inbox.open();
    this.#join(this.#run.signal);
  }

  #pause() {
    this.#run.abort();
    this.#inbox.close();
    this.#settled(0);
    this.#leading = false;
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** @param {{ code: string, message: string, status: number }} why */
  #end(why) {
    if (this.#closed) return;
    this.#closed = true;
    this.#life.abort();
    this.#pause();
    this.#enter('closed');
    this.#emit('close', { ...why, terminal: true, retryIn: 0 });
  }

  #wentOffline() {
    this.#offline = true;
    this.#healthy = false;
    this.#enter('offline');
    this.#polling?.abort();
  }

  #wentOnline() {
    this.#offline = false;
    if (this.#leading) this.#waiting?.abort();
    else this.#enter('following');
  }

  // - sharing between tabs

  /**
   * Follows while another tab leads, and leads when there is none.
   * @param {AbortSignal} signal
   */
  async #join(signal) {
    let granted = false;
    try {
      if (this.#shared) {
        this.#channel = new BroadcastChannel(this.#key);
        this.#channel.onmessage = ({ data }) => signal.aborted || this.#hear(data);
        this.#tell({ hello: true });
        return await navigator.locks.request(this.#key, { signal }, () => {
          granted = true;
          return this.#lead(signal);
        });
      }
    } catch (error) {
      if (granted) throw error;
      if (signal.aborted) return;
      // Both exist, but not for this page: it is in a sandbox, or storage is blocked.
      this.#channel?.close();
      this.#channel = undefined;
      this.#shared = false;
      this.#bookmark = new Bookmark(this.#key, false, this.#client, this.cursor);
    }
    await null; // whoever makes a Letterbox gives it handlers first
    await this.#lead(signal);
  }

  /** @param {object} what as `#hear` has it */
  #tell(what) {
    this.#channel?.postMessage(what);
  }

  /**
   * What a tab tells the others. One that has just come says `hello`, and the leader says how things
   * stand. In one of them a message was acknowledged by hand: `ack`. All else is the leader's: its
   * `place`, the `messages` and `news` of an answer, an `error`, the `end`. The leader may have died
   * since, and this tab lead already: messages that were still on their way count all the same.
   * @param {any} told
   */
  #hear({ hello, ack, place, messages, news, error, end }) {
    if (hello && this.#leading) this.#tell({ place: this.#bookmark.place, messages: this.#healthy && this.#hand });
    if (hello) return;
    if (ack) return this.#acknowledge(ack);
    if (!this.#leading && this.#state !== 'following') this.#enter('following');
    if (place) this.#bookmark.adopt(place);
    if (messages) this.#announce(messages, this.#unsaid(news));
    // That it was acknowledged here the leader before this one may have been the last to hear.
    if (messages && this.#manual)
      for (const { id } of messages) if (this.#inbox.finished(id)) this.#tell({ ack: id });
    if (error && !this.#leading) this.#trouble(error);
    if (end) this.#end(end);
  }

  // - polling

  /** @param {AbortSignal} signal */
  async #lead(signal) {
    if (signal.aborted) return;
    this.#leading = true;
    this.#bookmark.load();
    while (!signal.aborted) {
      this.#unreachable = false;
      const wait = await this.#turn(signal);
      if (wait && !signal.aborted) await this.#wait(wait, signal);
    }
  }

  /**
   * One poll, and what follows from it.
   * @param {AbortSignal} signal
   * @returns {Promise<number>} how long to wait with the next
   */
  async #turn(signal) {
    const after = this.cursor;
    let answer;
    try {
      answer = await this.#poll(after, signal);
    } catch (error) {
      return this.#refused(error);
    }
    if (signal.aborted) return 0;
    if (!answer) return this.#dropped();
    this.#offline = false;
    this.#enter('answered', { reason: answer.reason });
    const pause = Math.max(PAUSE, milliseconds(answer.retry_after_ms));
    if (answer.reason === 'superseded') return this.#superseded(pause);
    if (answer.reason === 'kicked') return this.#thrownOut(pause);
    this.#kicked = false;
    this.#backoff.reset();
    const again = await this.#digest(answer, after, signal);
    return again || (answer.messages.length && answer.cursor !== after ? 0 : pause);
  }

  /**
   * @param {string} after
   * @param {AbortSignal} signal
   * @returns {Promise<Answer | undefined>} nothing: it was dropped
   */
  async #poll(after, signal) {
    const timeout = this.#healthy ? this.#timeout : 0;
    const polling = (this.#polling = within(signal));
    const overslept = watch(polling, timeout * 1000 + GRACE);
    this.#enter('polling');
    try {
      const query = { client: this.client, after, timeout: String(timeout) };
      const asked = this.#server.ask('GET', 'poll', query, isAnswer, polling.signal);
      return await Promise.race([asked, aborted(polling.signal)]);
    } catch (error) {
      if (polling.signal.aborted || overslept()) return undefined;
      throw error;
    } finally {
      overslept();
      polling.abort();
      this.#polling = undefined;
    }
  }

  /**
   * @param {number} wait
   * @param {AbortSignal} signal
   */
  async #wait(wait, signal) {
    const waiting = within(signal);
    if (this.#unreachable) this.#waiting = waiting;
    this.#enter(this.#offline ? 'offline' : 'waiting', { wait });
    await sleep(wait, waiting.signal);
    waiting.abort();
    this.#waiting = undefined;
  }

  /** By the watch: begun anew at once. Because the browser is offline: when it is back, or after a while, since browsers err. */
  #dropped() {
    this.#unreachable = this.#offline;
    return this.#offline ? this.#backoff.next() : 0;
  }

  /** @param {any} error */
  #refused(error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, status, terminal, retryAfter } = error;
    const retryIn = terminal ? 0 : this.#backoff.next(retryAfter);
    const trouble = { code, message, status, terminal, retryIn };
    this.#unreachable = status === 0;
    this.#tell({ error: trouble });
    this.#trouble(trouble);
    if (terminal) this.#stop(trouble);
    return retryIn;
  }

  /** @param {object} trouble */
  #trouble(trouble) {
    this.#healthy = false;
    this.#emit('error', trouble);
  }

  /** @param {{ code: string, message: string, status: number }} why */
  #stop(why) {
    this.#tell({ end: why });
    this.#end(why);
  }

  /** @param {number} pause */
  #superseded(pause) {
    // Nobody else has a name that was made up for this tab, but its copy: who duplicates a tab
    // duplicates its sessionStorage.
    if (!this.#shared && !this.#client) this.#bookmark.rename();
    else if (this.#emit('superseded', {}, true))
      this.#stop({ code: 'superseded', message: 'another reader polls under this name', status: 200 });
    return pause;
  }

  /**
   * The next request says why: it is made at once, but once.
   * @param {number} pause
   */
  #thrownOut(pause) {
    this.#healthy = false;
    const wait = this.#kicked ? this.#backoff.next(pause) : 0;
    this.#kicked = true;
    return wait;
  }

  // - an answer and its messages

  /**
   * Gives the messages to all tabs, and waits until they are acknowledged.
   * @param {Answer} answer
   * @param {string} after
   * @param {AbortSignal} signal
   * @returns {Promise<number>} after how long to fetch again what a handler has failed on; 0: none has
   */
  async #digest({ messages, cursor, missed, reset }, after, signal) {
    const news = { after, missed: Number(missed) || 0, reset: reset === true };
    const unsaid = this.#unsaid(news);
    /** @type {Promise<number>} */
    const settled = new Promise((resolve) => (this.#settled = resolve));
    this.#hand = [...messages];
    this.#bookmark.move(after, unsaid.missed + Number(unsaid.reset));
    this.#tell({ place: this.#bookmark.place, messages, news });
    this.#announce(messages, unsaid);
    this.#settle();
    const again = await settled;
    if (!again && !signal.aborted && cursor !== this.cursor) {
      this.#bookmark.move(cursor, 0);
      this.#tell({ place: this.#bookmark.place });
    }
    return again;
  }

  /**
   * What of this has not been said. An answer comes again where it was not acknowledged.
   * @param {{ after: string, missed: number, reset: boolean } | undefined} news
   */
  #unsaid(news) {
    if (!news) return { missed: 0, reset: false };
    const said = news.after === this.#said.after ? this.#said : { missed: 0, reset: false };
    this.#said = news;
    return { missed: Math.max(0, news.missed - said.missed), reset: news.reset && !said.reset };
  }

  /**
   * @param {Message[]} messages
   * @param {{ missed: number, reset: boolean }} news
   */
  #announce(messages, { missed, reset }) {
    if (!this.#healthy) {
      this.#healthy = true;
      this.#emit('open');
    }
    if (reset) this.#emit('reset');
    if (missed) this.#emit('missed', { count: missed });
    this.#inbox.take(messages);
  }

  /** @param {string} id */
  #acknowledge(id) {
    this.#inbox.finish(id);
    this.#settle();
  }

  #settle() {
    while (this.#hand.length && this.#inbox.finished(this.#hand[0].id)) {
      const { id } = /** @type {Message} */ (this.#hand.shift());
      this.#bookmark.move(id, 1);
      this.#tell({ place: this.#bookmark.place });
    }
    if (!this.#hand.length) this.#settled(0);
  }

  /** @param {Message} message */
  async #give({ id, type, data, time }) {
    const ack = () => {
      if (!this.#manual) return;
      this.#acknowledge(id);
      this.#tell({ ack: id });
    };
    /** @type {Promise<unknown>[]} */
    const promises = [];
    for (const as of OWN.has(type) ? ['message'] : ['message', type])
      this.#emit(as, { id, kind: type, data, time, ack, [PROMISES]: promises });
    for (const outcome of await Promise.allSettled(promises)) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /**
   * @param {Message} message
   * @param {any} error
   * @param {number} wait
   */
  #failed(message, error, wait) {
    const inHand = this.#hand.some(({ id }) => id === message.id);
    globalThis.reportError?.(error); // the page's author wants to see where
    const said = String(error?.message ?? error);
    this.#emit('error', { code: 'handler', message: said, status: 0, terminal: false, retryIn: wait });
    if (!inHand || !wait) return false;
    this.#settled(wait);
    return true;
  }

  // - events

  /**
   * @param {State} state
   * @param {object} [more]
   */
  #enter(state, more) {
    this.#state = state;
    this.#emit('state', { state, ...more });
  }

  /**
   * @param {string} type
   * @param {object} [members]
   * @param {boolean} [cancelable]
   */
  #emit(type, members, cancelable) {
    return this.dispatchEvent(Object.assign(new Event(type, { cancelable }), members));
  }
}

// --- while something takes long ------------------------------------------------

/**
 * @template T
 * @param {Promise<T>} work
 * @param {KeepAliveOptions} [options]
 * @returns {Promise<T>}
 */
export function keepAlive(work, { after = 20_000, every = 20_000, url, token, user, onBeat } = {}) {
  const over = new AbortController();
  const server = new Server({ url, token, user });
  beat(server, over.signal, after, every, onBeat);
  const end = () => over.abort();
  const done = Promise.resolve(work);
  done.then(end, end); // before whoever waits for it goes on
  return done;
}

/**
 * One heartbeat after the other until `signal` is aborted, or the server says that it is pointless.
 * @param {Server} server
 * @param {AbortSignal} signal
 * @param {number} after
 * @param {number} every
 * @param {KeepAliveOptions['onBeat']} onBeat
 */
async function beat(server, signal, after, every, onBeat) {
  for (let wait = after; ; ) {
    await sleep(wait, signal);
    if (signal.aborted) return;
    wait = every;
    const request = within(signal);
    const late = setTimeout(() => request.abort(), BEAT_LIMIT);
    const answer = await server.ask('POST', 'alive', {}, isAlive, request.signal).catch((error) => error);
    clearTimeout(late);
    request.abort();
    if (signal.aborted) return;
    if (onBeat) Promise.resolve(answer).then(onBeat); // it may fail, the heart goes on
    if (answer.terminal) return;
    wait = Math.max(every, answer.retryAfter ?? 0);
  }
}

/**
 * @param {HTMLElement} control
 * @param {(event: Event) => unknown} work
 */
export function busy(control, work) {
  const form = /** @type {HTMLFormElement | null} */ (control.localName === 'form' ? control : null);
  let pressed = false;
  const press = async (/** @type {Event} */ event) => {
    event.preventDefault(); // the work is done here, not by the page that a form would load
    if (pressed) return;
    pressed = true;
    const release = refuse(control, form ? [...form.elements].filter(submits) : [control]);
    try {
      await work(event);
    } finally {
      pressed = false;
      release();
    }
  };
  const type = form ? 'submit' : 'click';
  control.addEventListener(type, press);
  return () => control.removeEventListener(type, press);
}

/** @param {any} element */
function submits({ type }) {
  return type === 'submit';
}

/**
 * @param {HTMLElement} control
 * @param {any[]} buttons
 * @returns {() => void} undoes it
 */
function refuse(control, buttons) {
  const free = buttons.filter((button) => !button.disabled);
  const focused = free.find((button) => button === document.activeElement);
  control.setAttribute('aria-busy', 'true');
  for (const button of free) button.disabled = true;
  return () => {
    control.removeAttribute('aria-busy');
    for (const button of free) button.disabled = false;
    // A button that is disabled loses the focus; who works by keyboard goes on where they were.
    if (focused && document.activeElement === document.body) focused.focus();
  };
}
