// SPDX-License-Identifier: MIT
//
// A browser as far as letterbox.js can tell: tabs with a global object each, which share
// localStorage, locks and channels, a clock and a server. A tab can be closed, reloaded,
// duplicated, left and fetched back by "back", looked at, stopped for a while, and it can crash. It
// runs letterbox.js in the form for old pages, so that each tab has a copy of its own.

import { webcrypto } from 'node:crypto';
import vm from 'node:vm';
import { makeClassic } from '../build-client.mjs';
import { Clock, settle } from './clock.mjs';
import { refusal, Server } from './server.mjs';
import { present } from './transports.mjs';

const script = new vm.Script(await makeClassic({ minify: false }), { filename: 'letterbox.js' });

export const PAGE = 'https://example.org/inbox/today';

export class Browser {
  clock = new Clock();
  server = new Server(this.clock);
  localStorage = new Storage();
  channels = new Set();
  locks = new Locks(this);
  tabs = [];
  /** What Math.random gives. */
  random = () => 0.5;
  /** How long a message from tab to tab takes, and a lock from holder to holder. */
  delay = () => 0;
  /** What is taken from the pages: 'locks', 'channels', 'storage', 'crypto'. */
  without = new Set();

  tab(options) {
    const tab = new Tab(this, options);
    this.tabs.push(tab);
    return tab;
  }

  advance(milliseconds) {
    return this.clock.advance(milliseconds);
  }

  /** The network goes, and every page is told. */
  async goOffline() {
    this.server.network = 'down';
    for (const tab of this.tabs) tab.fire('offline');
    await settle();
  }

  async goOnline() {
    this.server.network = 'up';
    for (const tab of this.tabs) tab.fire('online');
    await settle();
  }
}

class Tab {
  browser;
  sessionStorage;
  window;
  alive = true;
  visibility = 'visible';
  /** The events that wait for a stopped tab, by their source; null: the tab runs. */
  #held = null;
  #page = new EventTarget();
  #thaw = () => {};
  #timers = new Set();
  #requests = new Set();

  constructor(browser, { sessionStorage = new Storage(), location = PAGE } = {}) {
    this.browser = browser;
    this.sessionStorage = sessionStorage;
    this.#load(location);
  }

  /** A Letterbox of this tab that notes its events in `log`. */
  letterbox(options = {}) {
    const box = new this.window.Letterbox({ transport: present.transport, ...options });
    box.log = [];
    box.got = [];
    box.states = [];
    for (const type of ['open', 'close', 'error', 'missed', 'reset', 'superseded'])
      box.on(type, (event) => box.log.push(heard(type, event)));
    box.on('message', ({ data }) => void box.got.push(data));
    box.on('state', ({ state, reason, wait }) => box.states.push([state, reason ?? wait].filter((x) => x !== undefined).join(' ')));
    return box;
  }

  fire(type, members = {}) {
    if (this.alive) this.#page.dispatchEvent(Object.assign(new Event(type), members));
  }

  /** The tab is in front now, or not. */
  look(visibility) {
    this.visibility = visibility;
    this.fire('visibilitychange'); // of its document, from where it bubbles
  }

  /** Its script is stopped, as while an alert() is open: events that come wait. */
  freeze() {
    this.#held = new Map();
    this.thawed = new Promise((resolve) => (this.#thaw = resolve));
  }

  /** The script goes on. Events of one source come in their order, but a browser may take any source first. */
  async thaw(order = ['timers', 'network', 'channels', 'locks']) {
    const held = this.#held;
    this.#held = null;
    this.#thaw();
    for (const source of order) {
      for (const step of held.get(source) ?? []) step();
      await settle();
    }
  }

  /** Has the tab do something: now, or when it is thawed. */
  do(source, step) {
    if (!this.#held) return step();
    this.#held.set(source, [...(this.#held.get(source) ?? []), step]);
  }

  /** As a person closes it. */
  close() {
    this.fire('pagehide', { persisted: false });
    this.crash();
  }

  /** The tab ends between two of its steps: it does nothing any more, and its locks are free. */
  crash() {
    this.alive = false;
    for (const request of this.#requests) request.abort();
    for (const timer of this.#timers) this.browser.clock.clearTimeout(timer);
    for (const channel of this.browser.channels) if (channel.tab === this) channel.close();
    this.browser.locks.leave(this);
    this.browser.tabs = this.browser.tabs.filter((tab) => tab !== this);
  }

  reload() {
    this.close();
    return this.browser.tab({ sessionStorage: this.sessionStorage });
  }

  duplicate() {
    return this.browser.tab({ sessionStorage: this.sessionStorage.copy() });
  }

  #load(location) {
    const { browser, browser: { clock, without } } = this;
    const tab = this;
    const blocked = () => {
      throw new DOMException('The operation is insecure.', 'SecurityError');
    };
    const storage = (kept) => ({
      getItem: without.has('storage') ? blocked : (key) => kept.getItem(key),
      setItem: without.has('storage') ? blocked : (key, value) => tab.alive && kept.setItem(key, value),
    });
    const window = {
      location: new URL(location),
      document: {
        baseURI: location,
        get hidden() { return tab.visibility === 'hidden'; },
      },
      navigator: without.has('locks') ? {} : { locks: { request: (...said) => browser.locks.request(tab, ...said) } },
      localStorage: storage(browser.localStorage),
      sessionStorage: storage(this.sessionStorage),
      fetch: (address, init) => this.#fetch(address, init),
      setTimeout: (call, wait) => {
        const timer = clock.setTimeout(() => tab.do('timers', () => tab.alive && this.#timers.has(timer) && call()), wait);
        this.#timers.add(timer);
        return timer;
      },
      clearTimeout: (timer) => {
        clock.clearTimeout(timer);
        this.#timers.delete(timer);
      },
      Date: class extends Date {
        static now = () => clock.now;
      },
      addEventListener: (...said) => this.#page.addEventListener(...said),
      reported: [],
      reportError: (error) => window.reported.push(error),
      warned: [],
      console: { warn: (text) => window.warned.push(text) },
      crypto: without.has('crypto') ? undefined : webcrypto,
      atob, AbortController, Event, EventTarget, Headers, TextDecoder, URL, URLSearchParams,
    };
    if (!without.has('channels'))
      window.BroadcastChannel = class extends Channel {
        constructor(name) {
          super(tab, name);
        }
      };
    this.window = vm.createContext(window);
    vm.runInContext('Math', window).random = () => browser.random();
    script.runInContext(window);
  }

  /** A request ends with its tab, which does not hear of it then. */
  async #fetch(address, init) {
    const request = new AbortController();
    this.#requests.add(request);
    init.signal.addEventListener('abort', () => request.abort());
    if (init.signal.aborted) request.abort();
    try {
      const response = await this.browser.server.fetch(address, { ...init, signal: request.signal });
      return response.body ? { ...response, body: this.#body(response.body, request) } : response;
    } finally {
      this.#requests.delete(request);
      await this.#arrival();
    }
  }

  #body(body, request) {
    const reader = body.getReader();
    this.#requests.add(request);
    const read = async () => {
      try {
        return await reader.read();
      } finally {
        await this.#arrival();
      }
    };
    return { getReader: () => ({ read }) };
  }

  /** A tab notices events of the network while it runs, and never once it is gone. */
  async #arrival() {
    await new Promise((resolve) => this.do('network', resolve));
    if (!this.alive) await new Promise(() => {});
  }
}

/** A message that was sent arrives, also when its sender is gone; for each receiver in order. */
class Channel {
  onmessage = null;
  #open = true;

  constructor(tab, name) {
    this.tab = tab;
    this.name = name;
    this.due = 0;
    tab.browser.channels.add(this);
  }

  postMessage(said) {
    if (!this.tab.alive) return;
    if (!this.#open) throw new DOMException('Channel is closed', 'InvalidStateError');
    const { clock, channels, delay } = this.tab.browser;
    for (const other of channels) {
      if (other === this || other.name !== this.name) continue;
      const data = structuredClone(said);
      other.due = Math.max(other.due, clock.running + delay());
      const arrive = () => other.tab.do('channels', () => other.#open && other.onmessage?.({ data }));
      clock.setTimeout(arrive, other.due - clock.running);
    }
  }

  close() {
    this.#open = false;
    this.tab.browser.channels.delete(this);
  }
}

/** Exclusive locks, granted in the order in which they were asked for, or stolen. */
class Locks {
  #browser;
  #queues = new Map();

  constructor(browser) {
    this.#browser = browser;
  }

  request(tab, name, { signal, steal }, call) {
    return new Promise((resolve, reject) => {
      if (signal && steal) throw new DOMException('signal and steal', 'NotSupportedError');
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, queue);
      const wish = { tab, name, call, resolve, reject };
      signal?.addEventListener('abort', () => {
        if (wish.held) return;
        this.#remove(wish);
        reject(new DOMException('The request was aborted.', 'AbortError'));
      });
      if (steal && queue[0]?.held) {
        const robbed = queue.shift();
        robbed.tab.do('locks', () => robbed.reject(new DOMException('Lock broken by another request', 'AbortError')));
      }
      if (steal) queue.unshift(wish);
      else queue.push(wish);
      this.#grant(name);
    });
  }

  leave(tab) {
    for (const queue of this.#queues.values())
      for (const wish of queue.filter((wish) => wish.tab === tab)) this.#remove(wish);
  }

  #grant(name) {
    this.#browser.clock.setTimeout(() => {
      const [wish] = this.#queues.get(name);
      if (!wish || wish.held) return;
      wish.held = true;
      wish.tab.do('locks', () => this.#hold(wish));
    }, this.#browser.delay());
  }

  async #hold(wish) {
    try {
      wish.resolve(await wish.call());
    } catch (error) {
      wish.reject(error);
    }
    this.#remove(wish);
  }

  #remove(wish) {
    const queue = this.#queues.get(wish.name);
    if (queue.includes(wish)) queue.splice(queue.indexOf(wish), 1);
    this.#grant(wish.name);
  }
}

class Storage {
  #items = new Map();
  getItem(key) {
    return this.#items.get(key) ?? null;
  }
  setItem(key, value) {
    this.#items.set(key, String(value));
  }
  keys() {
    return [...this.#items.keys()];
  }
  values() {
    return [...this.#items.values()];
  }
  copy() {
    const copy = new Storage();
    for (const [key, value] of this.#items) copy.setItem(key, value);
    return copy;
  }
}

function heard(type, { code, count, terminal }) {
  return [type, code ?? count, terminal && type === 'error' ? 'terminal' : undefined].filter((said) => said !== undefined).join(' ');
}

/** `count` tabs of one browser with a Letterbox each, of one user; the first leads. */
export async function tabsOf(person, count, options = {}) {
  const browser = new Browser();
  const tabs = [];
  const boxes = [];
  for (let index = 0; index < count; ++index) {
    tabs.push(browser.tab());
    boxes.push(tabs[index].letterbox({ ...person, ...options }));
    await settle();
  }
  await browser.advance(500);
  return { browser, tabs, boxes, server: browser.server };
}

/** The errors and the end that a Letterbox reports, as they come. */
export function troubles(box) {
  const all = [];
  for (const type of ['error', 'close']) box.on(type, (event) => void all.push(trouble(event)));
  return all;
}

/** What a Letterbox reports of a terminal error that answers its next request. */
export async function toldWhenRefused({ browser, box, server }, status, code) {
  const all = troubles(box);
  server.instead(refusal(status, code, { terminal: true }));
  server.endAll('timeout');
  await browser.advance(3_600_000);
  return all;
}

/** ... and what it must report: why, and that it has stopped. */
export function stopped(status, code) {
  const why = { code, message: `because: ${code}`, status, terminal: true, retryIn: 0 };
  return [{ type: 'error', ...why }, { type: 'close', ...why }];
}

/** The members of an event that says why something went wrong. */
function trouble({ type, code, message, status, terminal, retryIn }) {
  return { type, code, message, status, terminal, retryIn };
}

