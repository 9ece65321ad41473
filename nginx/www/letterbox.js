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
const PAUSE = 500; // after an empty answer to a poll that was not held
const HELD = 2000; // what is answered sooner was not held: some proxies answer at once
const FIRST_STEP = 1000; // of the backoff
const LAST_STEP = 120_000;
const GRACE = 15_000; // how late an answer, a timer or a leader may be before it is thought to sleep
const TICK = 10_000; // how often a poll looks at the clock
const BEAT_LIMIT = 30_000; // how long a heartbeat may take
const DAY = 86_400_000;

/** Events of the client's own. A message of such a type is an event `message` and nothing else. */
const OWN = new Set(['message', 'open', 'close', 'error', 'missed', 'reset', 'superseded', 'state']);

const REMEMBERED = 1000; // ids, so that what a tab has had is not given again; more than an answer has
const NEVER = new AbortController().signal; // is aborted never

const NAME = /^[\w.@:+-]{1,128}$/; // of a user or a client
const REFUSED = /^(bad_token|no_identity)$/; // the codes that another token may help against

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
   * @param {number} retryIn the server wants to be left alone for so long
   */
  constructor(code, message, status = 0, terminal = false, retryIn = 0) {
    super(message);
    this.code = code;
    this.status = status;
    this.terminal = terminal;
    this.retryIn = retryIn;
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
   * If the token is refused, and a function gave it, asks once more with another.
   * @param {'GET' | 'POST'} method
   * @param {string} path
   * @param {Record<string, string>} query
   * @param {(answer: any) => boolean} expected whether this is what such a request is answered by
   * @param {AbortSignal} signal
   * @param {(person: string | undefined) => unknown} [check] is told for whom the request is, before it leaves
   * @param {boolean} [refused] the token before was
   * @returns {Promise<any>}
   * @throws {Refusal}
   */
  async ask(method, path, query, expected, signal, check, refused = false) {
    const token = await this.#current(refused);
    check?.(personOf(token) ?? this.user);
    // The browser takes blanks and line ends around it away.
    if (/[^\t -\xff]/.test(String(token).trim()))
      throw new Refusal('bad_token', 'the token has a character that a header may not have', 0, true);
    const said = new URLSearchParams(this.user === undefined ? query : { ...query, user: this.user });
    let response, text;
    try {
      response = await fetch(`${this.url}/${path}?${said}`, {
        method,
        headers: token ? { Authorization: `Bearer ${token}` } : {},
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
    const error = refusal(response, answer?.error);
    if (refused || typeof this.token !== 'function' || !REFUSED.test(error.code)) throw error;
    return this.ask(method, path, query, expected, signal, check, true);
  }

  /** Whose mailbox it is, by the present token or by `user`; undefined: nobody knows. */
  async person() {
    return personOf(await this.#current(false)) ?? this.user;
  }

  /** @param {boolean} refused */
  async #current(refused) {
    try {
      return typeof this.token === 'function' ? await this.token({ refused }) : this.token;
    } catch {
      throw new Refusal('token', 'there is no token: the function that gives it has failed');
    }
  }
}

/**
 * For whom a token says that it is, `lb_NAME.…` or the `sub` of a JWT; undefined: it does not say,
 * or there is none.
 * @param {any} token
 */
function personOf(token) {
  try {
    const [head, body] = token.split('.');
    const name = head.startsWith('lb_') ? decoded(head.slice(3)) : JSON.parse(decoded(body)).sub;
    return typeof name === 'string' && NAME.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** @param {string} text base64url */
function decoded(text) {
  return atob(text.replace(/-/g, '+').replace(/_/g, '/'));
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

function isVisible() {
  return globalThis.document?.visibilityState === 'visible';
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
      const whole = NAME.test(name) && typeof cursor === 'string' && Number.isSafeInteger(count);
      return whole ? { name, cursor, count } : null;
    } catch {
      return null;
    }
  }
}

function madeUp() {
  const bytes = new Uint8Array(10).map(() => Math.random() * 256);
  globalThis.crypto?.getRandomValues(bytes); // node 18 has none
  return `web-${Array.from(bytes, (byte) => (byte % 32).toString(32)).join('')}`;
}

// --- handing messages to handlers --------------------------------------------

/** Gives each message once to the handlers of this tab, one after the other. */
class Inbox {
  /** @type {Message[]} */
  #queue = [];
  #open = false;
  #running = false;
  /** The messages in the queue are still for the person at this page. */
  #checked = false;
  #backoff = new Backoff();
  /**
   * The latest ids that were given or wait for it, oldest first; true: finished.
   * @type {Map<string, boolean>}
   */
  #known = new Map();

  /**
   * @param {() => Promise<boolean>} check whether what came may be given; false: ask again if it is still there
   * @param {(message: Message) => Promise<void>} give runs the handlers; fails if one of them does
   * @param {(message: Message) => void} given
   * @param {(message: Message, error: unknown, wait: number) => Message[]} failed which come again by a
   *   poll, it among them. None: it is kept here, and tried again after `wait`
   */
  constructor(check, give, given, failed) {
    this.check = check;
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

  /** Another mailbox's messages follow. */
  clear() {
    this.#queue = [];
    this.#known.clear();
  }

  /** @param {Message[]} messages */
  take(messages) {
    this.#checked = false;
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
      if (!this.#checked) {
        this.#checked = await this.check();
        continue;
      }
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
    if (!fetched.length) return sleep(wait, NEVER);
    const ids = fetched.map(({ id }) => id);
    this.#queue = this.#queue.filter(({ id }) => !(ids.includes(id) && this.#known.delete(id)));
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
 * Tabs share by url, person and client, and only if the person is known: by the token, or by
 * `user`. While nobody knows (a cookie, a token that does not say) each tab polls for itself.
 *
 * A leader says each time for how long nothing may be heard of it. When that is over, and 15 s more,
 * a follower that is visible takes the lock from it, since its page stands still; and by the same
 * clock a leader that wakes knows that it may have been replaced, and follows.
 */
export class Letterbox extends EventTarget {
  // Constant after construction.
  #server;
  #client;
  #timeout;
  #manual;
  #share;
  #after;
  #inbox;
  #backoff = new Backoff();

  // Whose mailbox, and with whom it is shared; see #identify.
  /** @type {string | undefined} */
  #person;
  #key = '';
  /** @type {Bookmark} */
  #bookmark;

  // How it stands.
  #closed = true;
  #begun = false;
  #leading = false;
  /** Answered since it began, and no error since. While not, it looks instead of waiting, and so knows at once. */
  #healthy = false;
  #offline = false;
  #kicked = false;
  /** Superseded once, and may be no more. */
  #doubted = false;
  /** How much of the wait for the next poll must pass, whatever happens: the server has asked for it. */
  #least = 0;
  /** Until then the leader may be silent. */
  #due = 0;
  #closeIsHeard = false;
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
  /** A follower's: ends the wait for the lock, which is then taken. */
  #usurp = () => {};
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #alarm;
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
    this.#share = share && Boolean(globalThis.navigator?.locks && globalThis.BroadcastChannel);
    this.#after = after;
    this.#bookmark = this.#identify(personOf(token) ?? user);
    this.#inbox = new Inbox(
      () => this.#same(),
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

  /**
   * @param {string} type
   * @param {EventListenerOrEventListenerObject | null} listener
   * @param {boolean | AddEventListenerOptions} [options]
   */
  addEventListener(type, listener, options) {
    if (type === 'close') this.#closeIsHeard = true;
    super.addEventListener(type, listener, options);
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
    hear?.('visibilitychange', () => isVisible() && this.#seen(), { signal }); // of the document, it bubbles
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
    clearTimeout(this.#alarm);
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
    if (!this.#closeIsHeard && why.code !== 'closed') console.warn(`Letterbox has stopped: ${why.message} (${why.code})`);
  }

  #wentOffline() {
    this.#offline = true;
    this.#healthy = false;
    this.#enter('offline');
    this.#polling?.abort();
  }

  #wentOnline() {
    this.#offline = false;
    if (!this.#leading) this.#enter('following');
    this.#seen();
  }

  /** The page is looked at, or the network is back: the leader, in whichever tab, waits no longer than it must. */
  #seen() {
    this.#waiting?.abort();
    this.#tell({ hello: true });
    this.#mind();
  }

  // - whose mailbox

  /** @param {string | undefined} person */
  #identify(person) {
    this.#person = person;
    this.#key = ['letterbox', this.#server.url, person, this.#client].join(' ');
    return new Bookmark(this.#key, Boolean(this.#share && person), this.#client, this.#after);
  }

  /**
   * Another person is at this page: it leaves those it shares with, and begins anew.
   * @param {string | undefined} person
   */
  #become(person) {
    const before = this.#person;
    if (person === before) return;
    this.#pause();
    this.#bookmark = this.#identify(person);
    this.#inbox.clear();
    if (before && person) this.#emit('reset');
    if (!this.#closed) this.#begin();
  }

  /** Whether messages that another tab has fetched are for the person at this page; false: perhaps not. */
  async #same() {
    const { signal } = this.#run;
    if (this.#leading || typeof this.#server.token !== 'function') return true;
    try {
      const person = await this.#server.person();
      if (!signal.aborted) this.#become(person);
      return !signal.aborted;
    } catch {
      // It has no token at the moment: what came waits.
      await sleep(this.#backoff.next(), signal);
      return false;
    }
  }

  // - sharing between tabs

  /**
   * Follows while another tab leads, and leads when there is none, or when it stands still.
   * @param {AbortSignal} signal
   */
  async #join(signal) {
    for (let steal = false; this.#share && this.#person && !signal.aborted; ) {
      const turn = within(signal); // of waiting for the lock, and of leading
      this.#usurp = () => turn.abort();
      let granted = false;
      const lead = () => {
        granted = true;
        return this.#lead(turn.signal);
      };
      try {
        this.#listen(signal);
        await navigator.locks.request(this.#key, steal ? { steal } : { signal: turn.signal }, lead);
        steal = false;
      } catch (error) {
        if (granted && /** @type {Error} */ (error).name !== 'AbortError') throw error;
        steal = !granted && turn.signal.aborted;
        if (!granted && !steal) this.#alone();
      }
      turn.abort();
      if (granted && !signal.aborted) this.#stepBack();
    }
    await null; // whoever makes a Letterbox gives it handlers first
    await this.#lead(signal);
  }

  /** @param {AbortSignal} signal */
  #listen(signal) {
    if (!this.#channel) {
      this.#channel = new BroadcastChannel(this.#key);
      this.#channel.onmessage = ({ data }) => signal.aborted || this.#hear(data);
    }
    this.#expect(this.#timeout * 1000);
    this.#tell({ hello: true });
  }

  /** Locks and channels exist, but not for this page: it is in a sandbox, or storage is blocked. */
  #alone() {
    this.#channel?.close();
    this.#channel = undefined;
    this.#share = false;
    this.#after = this.cursor;
    this.#bookmark = this.#identify(this.#person);
  }

  /** It does not lead any more. What it had in hand the next leader fetches again, and tells. */
  #stepBack() {
    this.#leading = false;
    this.#settled(0);
    this.#hand = [];
  }

  /** @param {object} what as `#hear` has it */
  #tell(what) {
    this.#channel?.postMessage(what);
  }

  /**
   * What a tab tells the others. One that has just come, or is looked at, says `hello`, and the leader
   * says how things stand. In one of them a message was acknowledged by hand: `ack`. All else is the
   * leader's: its `place`, the `messages` and `news` of an answer, an `error`, the `end`, and for how
   * long it will be `quiet` now. The leader may have died since, and this tab lead already: messages
   * that were still on their way count all the same.
   * @param {any} told
   */
  #hear({ hello, ack, place, messages, news, error, end, quiet }) {
    if (hello) return this.#leading ? this.#welcome() : undefined;
    if (ack) return this.#acknowledge(ack);
    if (!this.#leading) {
      if (this.#state !== 'following') this.#enter('following');
      if (quiet >= 0) this.#expect(quiet);
      if (error) this.#trouble(error);
    }
    if (place) this.#bookmark.adopt(place);
    if (messages) this.#announce(messages, this.#unsaid(news));
    // That it was acknowledged here the leader before this one may have been the last to hear.
    if (messages && this.#manual)
      for (const { id } of messages) if (this.#inbox.finished(id)) this.#tell({ ack: id });
    if (end) this.#end(end);
  }

  #welcome() {
    const quiet = Math.max(0, this.#due - GRACE - Date.now());
    this.#tell({ place: this.#bookmark.place, messages: this.#healthy && this.#hand, quiet });
    this.#waiting?.abort();
  }

  /**
   * Says, as the leader, for how long nothing may be heard of it, and what else there is to say.
   * @param {number} quiet
   * @param {object} [more]
   */
  #promise(quiet, more) {
    this.#expect(quiet);
    this.#tell({ quiet, ...more });
  }

  /** @param {number} quiet */
  #expect(quiet) {
    this.#due = Date.now() + quiet + GRACE;
    this.#mind();
  }

  /** Has a follower take the lock when nothing is heard of the leader. A hidden page does so once it is looked at. */
  #mind() {
    clearTimeout(this.#alarm);
    if (!this.#channel || this.#leading) return;
    this.#alarm = setTimeout(() => isVisible() && this.#usurp(), Math.max(FIRST_STEP, this.#due - Date.now()));
  }

  /**
   * Whether it leads still, and no follower can have taken its place.
   * @param {AbortSignal} [signal]
   */
  #leads(signal) {
    return !signal?.aborted && (!this.#channel || Date.now() < this.#due);
  }

  // - polling

  /** @param {AbortSignal} signal */
  async #lead(signal) {
    if (signal.aborted) return;
    this.#leading = true;
    this.#bookmark.load();
    do {
      this.#least = DAY;
      const wait = await this.#turn(signal);
      if (wait && this.#leads(signal)) await this.#wait(wait, signal);
    } while (this.#leads(signal));
  }

  /**
   * One poll, and what follows from it.
   * @param {AbortSignal} signal
   * @returns {Promise<number>} how long to wait with the next
   */
  async #turn(signal) {
    const after = this.cursor;
    const asked = Date.now();
    const looks = !this.#healthy;
    const answer = await this.#poll(after, signal).catch((error) => /** @type {Error} */ (error));
    if (!this.#leads(signal)) return 0;
    if (answer instanceof Error) return this.#refused(answer);
    if (!answer) return this.#dropped();
    this.#offline = false;
    this.#enter('answered', { reason: answer.reason });
    const held = Date.now() - asked >= HELD || (looks && this.#timeout > 0);
    const pause = Math.max(PAUSE, milliseconds(answer.retry_after_ms));
    if (answer.reason === 'superseded') return this.#superseded(pause);
    if (answer.reason === 'kicked') return this.#thrownOut(pause);
    this.#kicked = this.#doubted = false;
    this.#backoff.reset();
    const again = await this.#digest(answer, after, signal);
    return again || (answer.messages.length && answer.cursor !== after ? 0 : held ? milliseconds(answer.retry_after_ms) : pause);
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
    this.#promise(timeout * 1000);
    this.#enter('polling');
    try {
      const query = { client: this.client, after, timeout: String(timeout) };
      const check = (/** @type {string | undefined} */ person) => polling.signal.aborted || this.#become(person);
      const asked = this.#server.ask('GET', 'poll', query, isAnswer, polling.signal, check);
      return await Promise.race([asked, aborted(polling.signal)]);
    } catch (error) {
      if (polling.signal.aborted || overslept()) return undefined;
      throw error;
    } finally {
      overslept();
      polling.abort();
    }
  }

  /**
   * @param {number} wait
   * @param {AbortSignal} signal
   */
  async #wait(wait, signal) {
    const waiting = (this.#waiting = within(signal));
    this.#promise(wait);
    this.#enter(this.#offline ? 'offline' : 'waiting', { wait });
    await Promise.all([sleep(Math.min(this.#least, wait), signal), sleep(wait, waiting.signal)]);
    waiting.abort();
  }

  /** By the watch: begun anew at once. Because the browser is offline: when it is back, or after a while, since browsers err. */
  #dropped() {
    this.#least = 0;
    return this.#offline ? this.#backoff.next() : 0;
  }

  /** @param {any} error */
  #refused(error) {
    if (!(error instanceof Refusal)) throw error;
    const { message, terminal } = error;
    const retryIn = terminal ? 0 : this.#backoff.next(error.retryIn);
    const trouble = { ...error, message, retryIn };
    this.#least = error.retryIn;
    // That the token of this tab is refused says nothing of the others'.
    const mine = REFUSED.test(error.code);
    if (!mine) this.#tell({ error: trouble });
    this.#trouble(trouble);
    if (terminal) mine ? this.#end(trouble) : this.#stop(trouble);
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
    // Nobody else has a name that was made up here, but a copy: a tab is duplicated with its
    // sessionStorage, a machine with all there is.
    if (!this.#client) this.#bookmark.rename();
    // Once it may have been a tab of this browser that woke, and did not know yet that it leads no more.
    else if (this.#channel && !this.#doubted) this.#doubted = true;
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
    this.#promise(this.#timeout * 1000, { place: this.#bookmark.place, messages, news });
    this.#announce(messages, unsaid);
    this.#settle();
    const again = await settled;
    if (!again && this.#leads(signal) && cursor !== this.cursor) {
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

  /** By its handlers alone, and only as long as it leads: its successor counts for itself, and may be further. */
  #settle() {
    while (this.#leads() && this.#hand.length && this.#inbox.finished(this.#hand[0].id)) {
      const { id } = /** @type {Message} */ (this.#hand.shift());
      this.#bookmark.move(id, 1);
      this.#tell({ place: this.#bookmark.place });
    }
    if (!this.#hand.length || !this.#leads()) this.#settled(0);
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
    if (!inHand || !wait) return [];
    this.#settled(wait);
    return this.#leads() ? this.#hand : [];
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
    wait = Math.max(every, answer.retryIn ?? 0);
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
