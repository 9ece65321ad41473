// SPDX-License-Identifier: MIT
//
// The browser client of Letterbox. Its types, and what each option means, are in letterbox.d.ts;
// the server's side is in fcgi/PROTOCOL.md. From the top: asking the server, reading a stream, when
// to ask again, the cursor's place, handing messages to handlers; Letterbox, which brings them
// together and shares with other tabs; keepAlive and busy, which stand alone.
//
// Whatever it takes of the browser (fetch, timers, storage, …) it looks up when it needs it.

/** @typedef {import('./letterbox.d.ts').LetterboxOptions} Options */
/** @typedef {import('./letterbox.d.ts').LetterboxState['state']} State */
/** @typedef {import('./letterbox.d.ts').Alive} Alive */
/** @typedef {import('./letterbox.d.ts').KeepAliveOptions} KeepAliveOptions */
/** @typedef {{ id: string, type: string, data: any, time: number }} Message as the server gives it */
/**
 * @typedef {object} Answer of `/poll`, or a piece of a stream
 * @property {Message[]} messages
 * @property {string} cursor `''` where a piece moves nothing on
 * @property {number} [missed]
 * @property {boolean} [reset]
 * @property {string} [reason]
 * @property {number} [retry_after_ms]
 * @property {boolean} [more] the stream stands: its next piece follows
 */
/** @typedef {{ name: string, cursor: string, count: number }} Place */

// All times are milliseconds.
const PAUSE = 500; // after an empty answer to a poll that was not held
const HELD = 2000; // what is answered sooner was not held: some proxies answer at once
const FIRST_STEP = 1000; // of the backoff
const LAST_STEP = 120_000;
const GRACE = 15_000; // how late an answer, a timer or a leader may be before it is thought to sleep
const HALF_TICK = 5000;
const SLEPT = 20_000; // HALF_TICK and GRACE
const TICK = 10_000; // how often it looks at the clock while it is waiting for an answer
const SILENCE = 20_000; // between two pieces of a stream, which has a ping every 15 s
const FIRST_BYTE = 5000; // `auto`: a stream that is silent for so long at first is held back by a proxy
const RETREAT = 300_000; // then it polls, until it tries a stream again
const ACK_EVERY = 1000; // while a stream stands
const BEAT_LIMIT = 30_000; // how long a heartbeat may take
const DAY = 86_400_000;

/** Events of the client's own. A message of such a type is an event `message` and nothing else. */
const OWN = /^(message|open|close|error|missed|reset|superseded|state)$/;

const MANY = 1e15; // more than any tab counts
const REMEMBERED = 1000; // ids, so that what a tab has had is not given again; more than an answer has
const NEVER = new AbortController().signal; // is aborted never

const NAME = /^[\w.@:+-]{1,128}$/; // of a user or a client
const REFUSED = /^(bad_token|no_identity)$/; // the codes that another token may help against
const ENDS = /^(time|shut|slow|sup|kick)/; // why a stream ends; other reasons are errors

/** Under this an event of a message has what its handlers promise. */
const PROMISES = Symbol();

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
    const page = globalThis.document?.baseURI ?? globalThis.location;
    this.url = new URL(url, page).href.replace(/\/*([?#].*)?$/, '');
    this.token = token;
    this.user = user;
  }

  /**
   * If the token is refused, and a function gave it, asks once more with another.
   * @param {'GET' | 'POST'} method
   * @param {string} path
   * @param {Record<string, any>} query
   * @param {((answer: any) => boolean) | undefined} expected whether this is what such a request is answered by; none: a stream
   * @param {AbortSignal} signal
   * @param {(person: string | undefined) => unknown} [check] is told for whom the request is, before it leaves
   * @returns {Promise<any>}
   * @throws {Refusal}
   */
  async ask(method, path, query, expected, signal, check) {
    for (let refused = false; ; refused = true) {
      const token = await this.#current(refused);
      check?.(personOf(token) ?? this.user);
      // The browser takes blanks and line ends around it away.
      if (/[^\t -\xff]/.test(String(token).trim()))
        throw new Refusal('bad_token', 'the token does not fit into a header', 0, true);
      const said = new URLSearchParams(this.user === undefined ? query : { ...query, user: this.user });
      let response, text;
      try {
        response = await fetch(`${this.url}/${path}?${said}`, {
          method,
          headers: token ? { Authorization: `Bearer ${token}` } : {},
          signal,
          cache: 'no-store',
          credentials: 'include',
        });
        if (!expected && response.body && /event-stream/.test(/** @type {any} */ (response.headers.get('Content-Type')))) return response;
        text = await response.text();
      } catch {
        // What the browser says of it is not passed on: it may quote a header, and so the token.
        throw new Refusal('network', 'no answer from the server');
      }
      const answer = parsed(text);
      if (response.ok && expected?.(answer)) return answer;
      const error = refusal(response, answer?.error);
      if (refused || typeof this.token !== 'function' || !REFUSED.test(error.code)) throw error;
    }
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
      throw new Refusal('token', 'there is no token');
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
 * @param {any} [error] as Letterbox says it; anything else is a proxy's page, or worse
 */
function refusal({ status, headers }, error) {
  const wait = retryAfter(headers.get('Retry-After'));
  const { code = 'bad_answer', message = `status ${status}, not of Letterbox`, terminal, retry_after_ms } = error?.code ? error : {};
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
  return answer?.user;
}

/**
 * A wait that the server has said; a timer takes no more than 24 days, and would end at once.
 * @param {unknown} said
 */
function milliseconds(said) {
  return Math.min(Math.max(Number(said) || 0, 0), DAY);
}

/** @param {string | null} header seconds, or a date */
function retryAfter(header) {
  if (!header) return 0;
  return milliseconds(/^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now());
}

// --- reading a stream ----------------------------------------------------------

/**
 * What comes of a stream of events, each as the answer to a poll; or as one without anything in it
 * at a sign of life, that is a ping or a part of an event.
 * @param {Promise<any>} asked
 * @returns {AsyncGenerator<Answer>}
 * @throws {Refusal}
 */
async function* pieces(asked) {
  const response = await asked;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  /** What the stream says itself is told with the message that follows. @type {any} */
  let news = {};
  for (;;) {
    const { done = true, value } = await reader.read().catch(() => ({}));
    if (done) news = { end: true, reason: 'network' };
    // Letterbox ends lines by LF, and JSON has no CR as such: these are of a CRLF.
    const events = (text + decoder.decode(value, { stream: true }).replace(/\r/g, '')).split('\n\n');
    text = /** @type {string} */ (events.pop());
    let answer = piece();
    for (const whole of events) {
      const { event, id, data } = Object.fromEntries(whole.split('\n').map((line) => line.split(/: ?(.*)/s)));
      const said = parsed(data);
      if (id) {
        Object.assign(answer, news, { cursor: id });
        news = {};
        // (letterbox.position has an id, too, and is no message.)
        if (!/^letterbox\./.test(event) && answer.messages.push(said)) answer.reason = 'messages';
        if (!isAnswer(answer)) throw refusal(response);
      } else if (event) {
        // It has no id, and is letterbox.missed, letterbox.reset or letterbox.end.
        yield answer;
        answer = piece();
        Object.assign(news, { [event.split('.')[1]]: true }, said);
      }
    }
    const { end, reason } = news;
    if (end && !ENDS.test(reason)) throw refusal(response, { ...news, code: reason, message: `stream: ${reason}` });
    if (end) Object.assign(answer, news, { more: false });
    yield answer;
  }
}

/** @returns {Answer} */
function piece() {
  return { messages: [], cursor: '', more: true };
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
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, wait);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

/**
 * A controller that `outer` aborts as well.
 * @param {AbortSignal} outer
 */
function within(outer) {
  const inner = new AbortController();
  // Once it is aborted itself, nothing of it is left at `outer`.
  outer.addEventListener('abort', () => inner.abort(), { signal: inner.signal });
  if (outer.aborted) inner.abort();
  return inner;
}

function isVisible() {
  return !globalThis.document?.hidden;
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

  /**
   * @param {string} key
   * @param {unknown} shared
   * @param {string | undefined} client
   * @param {string} after
   */
  constructor(key, shared, client, after) {
    // Of two places that count the same the last one read is taken: what tabs share.
    this.#shelves = shared ? ['sessionStorage', 'localStorage'] : ['sessionStorage'];
    this.#key = shared ? key : `${key} tab`;
    /** @type {Place} */
    this.place = { name: client ?? madeUp(), cursor: after, count: -1 };
    this.load();
    if (this.place.count < 0) this.move(after, 1);
  }

  /** Takes what is kept if it is as new; says how many messages have gone by since. */
  load() {
    const { count } = this.place;
    for (const shelf of this.#shelves) this.adopt(this.#read(shelf));
    return this.place.count - count;
  }

  /** @param {Place | null} place */
  adopt(place) {
    if (place && place.count >= this.place.count) this.#set(place);
  }

  /**
   * @param {string} cursor
   * @param {number} by how many messages
   */
  move(cursor, by) {
    this.#set({ ...this.place, cursor, count: this.place.count + by });
  }

  rename() {
    this.#set({ ...this.place, name: madeUp() });
  }

  /** @param {Place} place */
  #set(place) {
    this.place = place;
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
      const place = JSON.parse(/** @type {any} */ (globalThis[shelf].getItem(this.#key)));
      return NAME.test(place.name) && typeof place.cursor === 'string' && place.count < MANY ? place : null;
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
    this.#queue = this.#queue.filter(({ id }) => !(fetched.some((one) => one.id === id) && this.#known.delete(id)));
  }
}

// --- Letterbox ---------------------------------------------------------------

/**
 * A reader of a mailbox: polls or streams, gives each message to its handlers, acknowledges, and goes
 * on through whatever happens to the network. A stream is read piece by piece, each as the answer to
 * a poll, and the next when the handlers of the last are done. Of the tabs that share one poll or
 * stream the one that holds a lock has it (it leads), and tells the others what came. Each runs its own handlers; the leader's
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
  #transport;
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
  closed = true;
  /** @type {boolean | undefined} */
  #begun;
  leading = false;
  /**
   * Answered since it began, and no error since. While not, it looks instead of waiting, and so knows at once.
   * @type {boolean | undefined}
   */
  #healthy;
  /** @type {boolean | undefined} */
  #offline;
  /** @type {boolean | undefined} */
  #kicked;
  /** No stream is tried until then. */
  #polls = 0;
  /**
   * Superseded once, and may be no more.
   * @type {boolean | undefined}
   */
  #doubted;
  /** How much of the wait for the next poll must pass, whatever happens: the server has asked for it. */
  #least = 0;
  /** Until then the leader may be silent. */
  #due = 0;
  /** @type {boolean | undefined} */
  #closeIsHeard;
  /** @type {State | undefined} */
  #state;
  /** What handlers have been told of the answer to which cursor: an answer that comes again is not news. */
  #said = { after: '', missed: 0, reset: false };

  // What goes on, and how it is ended.
  /** From open() to the end. */
  #life = new AbortController();
  /** The same, but for the time that the page is hidden away for the button "back". */
  #run = new AbortController();
  /** The poll's, or the stream's as long as it stands. */
  #polling = new AbortController();
  /** @type {AsyncGenerator<Answer> | undefined} */
  #stream;
  /** When that was asked for. */
  #asked = 0;
  /** @type {boolean | undefined} */
  #acking;
  /** The middle of the present step of the watch. */
  #tick = 0;
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
  constructor(options = {}) {
    super();
    const { token, user, client, share = true, ack, after = '0', timeout = 25, transport = 'auto', start = true } = options;
    this.#server = new Server(options);
    this.#client = client;
    this.#timeout = timeout;
    this.#transport = transport;
    this.#manual = ack === 'manual';
    this.#share = share && globalThis.navigator?.locks && globalThis.BroadcastChannel;
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
    if (!this.closed) return;
    this.closed = false;
    this.#life = new AbortController();
    /** @type {Record<string, (event: any) => unknown>} */
    const heard = {
      offline: () => {
        this.#offline = true;
        this.#healthy = false;
        this.#enter('offline');
        this.#polling.abort();
      },
      online: () => {
        this.#offline = false;
        if (!this.leading) this.#enter('following');
        this.#seen();
      },
      pagehide: () => this.#pause(),
      pageshow: ({ persisted }) => persisted && this.#begin(),
      visibilitychange: () => isVisible() && this.#seen(), // of the document, it bubbles
    };
    for (const type in heard) globalThis.addEventListener?.(type, heard[type], { signal: this.#life.signal });
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
    return keepAlive(work, { ...this.#server, ...options });
  }

  // - beginning and ending

  #begin() {
    if (this.#begun && !this.#run.signal.aborted) return;
    // Whatever other tabs have acknowledged while this one did not listen does not come any more.
    const gone = this.#bookmark.load();
    if (this.#begun && gone > 0) this.#emit('missed', { count: gone });
    this.#begun = true;
    this.#healthy = this.#offline = this.#kicked = false;
    this.#polls = 0;
    this.#polling.abort();
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
    this.leading = false;
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** @param {{ code: string, message: string, status: number }} why */
  #end(why) {
    if (this.closed) return;
    this.closed = true;
    this.#life.abort();
    this.#pause();
    this.#enter('closed');
    this.#emit('close', { ...why, terminal: true, retryIn: 0 });
    if (!this.#closeIsHeard && why.code !== 'closed') console.warn(`Letterbox has stopped: ${why.message} (${why.code})`);
  }

  /** The page is looked at, or the network is back: the leader, in any tab, waits no longer than it must. */
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
    return new Bookmark(this.#key, this.#share && person, this.#client, this.#after);
  }

  /**
   * Another person is at this page: it leaves those it shares with, and starts over.
   * @param {string | undefined} person
   */
  #become(person) {
    const before = this.#person;
    if (person === before) return;
    this.#pause();
    this.#bookmark = this.#identify(person);
    this.#inbox.clear();
    if (before && person) this.#emit('reset');
    if (!this.closed) this.#begin();
  }

  /** Whether messages that another tab has fetched are for the person at this page; false: perhaps not. */
  async #same() {
    const { signal } = this.#run;
    if (this.leading || typeof this.#server.token !== 'function') return true;
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
        if (!granted && !steal) {
          // Locks and channels exist, but not for this page: it is in a sandbox, or storage is blocked.
          this.#channel?.close();
          this.#channel = undefined;
          this.#share = false;
          this.#after = this.cursor;
          this.#bookmark = this.#identify(this.#person);
        }
      }
      turn.abort();
      if (!granted || signal.aborted) continue;
      // What it had in hand the next leader fetches again, and tells.
      this.leading = false;
      this.#settled(0);
      this.#hand = [];
    }
    await null; // the page that makes a Letterbox gives it handlers first
    await this.#lead(signal);
  }

  /** @param {AbortSignal} signal */
  #listen(signal) {
    if (!this.#channel) {
      this.#channel = new BroadcastChannel(this.#key);
      this.#channel.onmessage = ({ data }) => signal.aborted || this.#hear(data);
    }
    this.#promise(this.#timeout * 1000, { hello: true });
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
   * that were still on their way count anyway.
   * @param {any} told
   */
  #hear({ hello, ack, place, messages, news, error, end, quiet }) {
    if (hello) return this.leading && this.#welcome();
    if (ack) return this.#acknowledge(ack);
    if (!this.leading) {
      this.#enter('following');
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
    if (!this.#channel || this.leading) return;
    this.#alarm = setTimeout(() => isVisible() && this.#usurp(), Math.max(FIRST_STEP, this.#due - Date.now()));
  }

  /**
   * Whether it leads still, and no follower can have taken its place.
   * @param {AbortSignal} [signal]
   */
  #leads(signal) {
    return !signal?.aborted && (!this.#channel || Date.now() < this.#due);
  }

  // - polling and streaming

  /** @param {AbortSignal} signal */
  async #lead(signal) {
    if (signal.aborted) return;
    this.leading = true;
    this.#bookmark.load();
    do {
      this.#least = DAY;
      const wait = await this.#turn(signal);
      if (wait && this.#leads(signal)) await this.#wait(wait, signal);
    } while (this.#leads(signal));
  }

  /**
   * One poll, or one piece of a stream, and what follows from it.
   * @param {AbortSignal} signal
   * @returns {Promise<number>} how long to wait with the next
   */
  async #turn(signal) {
    const after = this.cursor;
    const looks = !this.#healthy;
    const opens = this.#polling.signal.aborted;
    if (opens) {
      this.#asked = Date.now();
      this.#polling = within(signal);
      this.#stream = this.#transport !== 'poll' && this.#asked >= this.#polls ? pieces(this.#ask('GET', 'events', { after })) : undefined;
    }
    const polling = this.#polling;
    const stream = this.#stream;
    const impatient = opens && stream && this.#transport === 'auto';
    const silence = stream ? SILENCE : looks ? 0 : this.#timeout * 1000;
    const piece = within(polling.signal);
    this.#promise(silence);
    this.#enter(stream ? 'streaming' : 'polling');
    const asked = stream ? stream.next().then(({ value }) => value) : this.#ask('GET', 'poll', { after, timeout: silence / 1000 }, isAnswer);
    const late = this.#late(impatient ? FIRST_BYTE : silence + GRACE, piece.signal);
    const answer = (await Promise.race([asked, late]).catch((error) => ({ error }))) ?? {};
    const { error, messages, more } = answer;
    const dead = polling.signal.aborted || this.#overslept();
    piece.abort();
    if (!more) polling.abort();
    if (!this.#leads(signal)) return 0;
    const hopeless = stream && !dead && (error ? /_(answer|route)$/.test(error.code) : impatient && !messages);
    if (hopeless) this.#retreat();
    else if (error && !dead) return this.#refused(error);
    if (messages) return this.#heed(answer, after, looks, signal);
    // Dropped: started again at once. Because the browser is offline: when it is back, or after a while, since browsers err.
    this.#least = 0;
    return this.#offline ? this.#backoff.next() : 0;
  }

  /**
   * Ends after so long, or when it is aborted, or when the clock was set or the machine slept: its
   * connections are dead then, and nobody says so. The clock on the wall is asked, since others
   * stand still meanwhile.
   * @param {number} limit
   * @param {AbortSignal} signal
   */
  async #late(limit, signal) {
    const end = Date.now() + limit;
    do {
      this.#tick = Date.now() + HALF_TICK;
      await sleep(Math.min(limit, TICK), signal);
    } while (!signal.aborted && !this.#overslept() && Date.now() < end);
  }

  #overslept() {
    return Math.abs(Date.now() - this.#tick) > SLEPT;
  }

  /**
   * What follows from an answer, or a piece: its messages go to all tabs, and are waited for until
   * they are acknowledged.
   * @param {Answer} answer
   * @param {string} after
   * @param {boolean} looks
   * @param {AbortSignal} signal
   * @returns {Promise<number>} how long to wait with the next
   */
  async #heed(answer, after, looks, signal) {
    const { messages, cursor, reason, more } = answer;
    this.#offline = false;
    if (reason) this.#enter('answered', { reason });
    const held = Date.now() - this.#asked >= HELD || (looks && !more && this.#timeout);
    const retry = milliseconds(answer.retry_after_ms);
    const pause = Math.max(PAUSE, retry);
    if (reason === 'superseded') {
      // Nobody else has a name that was made up here, but a copy: a tab is duplicated with its
      // sessionStorage, a machine with all there is.
      if (!this.#client) this.#bookmark.rename();
      // Once it may have been a tab of this browser that woke, and did not know yet that it leads no more.
      else if (this.#channel && !this.#doubted) this.#doubted = true;
      else if (this.#emit('superseded', {}, true)) this.#stop({ code: 'superseded', message: 'another reader has this name', status: 200 });
      return pause;
    }
    if (reason === 'kicked') {
      // The next request, a poll, says why: it is made at once, but once.
      const wait = this.#kicked ? this.#backoff.next(pause) : 0;
      this.#healthy = false;
      this.#kicked = true;
      this.#retreat();
      return wait;
    }
    // That a stream has begun says little: another reader may end it, and a proxy cut it off.
    if (reason || held) {
      this.#kicked = this.#doubted = false;
      this.#backoff.reset();
    }
    if (more && !cursor) return 0; // a sign of life
    const moves = cursor && cursor !== after;
    const news = moves ? { after, missed: Number(answer.missed) || 0, reset: answer.reset === true } : undefined;
    const unsaid = this.#unsaid(news);
    /** @type {Promise<number>} */
    const settled = new Promise((resolve) => (this.#settled = resolve));
    this.#hand = [...messages];
    this.#bookmark.move(after, unsaid.missed + Number(unsaid.reset));
    this.#promise(this.#timeout * 1000, { place: this.#bookmark.place, messages, news });
    this.#announce(messages, unsaid);
    this.#settle();
    const again = await settled;
    if (again) this.#polling.abort();
    else if (moves && this.#leads(signal) && cursor !== this.cursor) {
      this.#bookmark.move(cursor, 0);
      this.#tell({ place: this.#bookmark.place });
    }
    return again || (more || (messages.length && moves) ? 0 : held ? retry : pause);
  }

  /** Polls for a while: no stream comes through, or only a poll is told why. */
  #retreat() {
    this.#polls = Date.now() + RETREAT;
  }

  /**
   * While a stream stands the cursor is told beside it. If that fails no harm is done: the next stream tells it.
   */
  async #ack() {
    const { signal } = this.#polling;
    if (this.#acking) return;
    this.#acking = true;
    await sleep(ACK_EVERY, signal);
    this.#acking = false;
    if (!signal.aborted) this.#ask('POST', 'ack', { after: this.cursor }, Boolean).catch(() => {});
  }

  /**
   * @param {'GET' | 'POST'} method
   * @param {string} path
   * @param {Record<string, any>} query
   * @param {(answer: any) => boolean} [expected]
   */
  #ask(method, path, query, expected) {
    const { signal } = this.#polling;
    const check = (/** @type {string | undefined} */ person) => signal.aborted || this.#become(person);
    return this.#server.ask(method, path, { client: this.client, ...query }, expected, signal, check);
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

  /** @param {any} error */
  #refused(error) {
    const { terminal } = error;
    const retryIn = terminal ? 0 : this.#backoff.next(error.retryIn);
    const trouble = { ...error, message: error.message, retryIn };
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

  // - an answer and its messages

  /**
   * What of this has not been said. An answer comes again if it was not acknowledged.
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
      this.#ack();
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
    for (const as of OWN.test(type) ? ['message'] : ['message', type])
      this.#emit(as, { id, kind: type, data, time, ack, [PROMISES]: promises });
    await Promise.allSettled(promises); // all of them, also where one fails
    await Promise.all(promises);
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
    this.#emit('error', { ...new Refusal('handler', ''), message: said, retryIn: wait });
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
    if (state === this.#state && !more) return;
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
export function keepAlive(work, options = {}) {
  const { after = 20_000, every = 20_000, onBeat } = options;
  const server = new Server(options);
  const over = new AbortController();
  const { signal } = over;
  /** One heartbeat after the other, until the work is done or the server says that it is pointless. @param {number} wait */
  const beat = async (wait) => {
    await sleep(wait, signal);
    if (signal.aborted) return;
    const request = within(signal);
    sleep(BEAT_LIMIT, request.signal).then(() => request.abort());
    const answer = await server.ask('POST', 'alive', {}, isAlive, request.signal).catch((error) => error);
    request.abort();
    if (signal.aborted) return;
    if (onBeat) Promise.resolve(answer).then(onBeat); // it may fail, the heart goes on
    if (!answer.terminal) beat(Math.max(every, answer.retryIn ?? 0));
  };
  beat(after);
  const end = () => over.abort();
  const done = Promise.resolve(work);
  done.then(end, end); // before the caller that waits for it goes on
  return done;
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
    /** @type {any[]} */
    const all = form ? [...form.elements].filter((/** @type {any} */ { type }) => type === 'submit') : [control];
    const free = all.filter((button) => !button.disabled);
    const focused = free.find((button) => button === document.activeElement);
    control.setAttribute('aria-busy', 'true');
    for (const button of free) button.disabled = true;
    try {
      await work(event);
    } finally {
      pressed = false;
      control.removeAttribute('aria-busy');
      for (const button of free) button.disabled = false;
      // A button that is disabled loses the focus; who works by keyboard goes on where they were.
      if (focused && document.activeElement === document.body) focused.focus();
    }
  };
  const type = form ? 'submit' : 'click';
  control.addEventListener(type, press);
  return () => control.removeEventListener(type, press);
}
