// SPDX-License-Identifier: MIT
//
// A Letterbox behind `fetch`, as fcgi/PROTOCOL.md has it, with a log of what it was asked. It has one
// mailbox, unless a test says who is who. A test may have it answer something else, nothing, or be away.

const EPOCH = '1795287654123';

export class Server {
  /** Each request: { at, method, path, query, headers, cache, credentials, aborted } */
  requests = [];
  /** 'up'; 'down': no connection; 'silent': connections from which nothing comes, not even their end. */
  network = 'up';
  /** Whose mailbox a request is for, by the token it shows. */
  who = () => 'all';
  #clock;
  #mailboxes = new Map();
  #parked = new Map();
  #instead = [];

  constructor(clock) {
    this.#clock = clock;
  }

  get polls() {
    return this.requests.filter(({ path }) => path.endsWith('/poll'));
  }

  get beats() {
    return this.requests.filter(({ path }) => path.endsWith('/alive'));
  }

  /** Polls that wait. */
  get parked() {
    return this.#parked.size;
  }

  push(data, type = 'message', user = 'all') {
    const messages = this.#messages(user);
    const id = `${EPOCH}-${messages.length + 1}`;
    messages.push({ id, type, data, time: this.#clock.now });
    for (const poll of [...this.#parked.values()])
      if (poll.user === user) poll.end(this.#answer(user, poll.after, 'messages'));
    return id;
  }

  #messages(user) {
    if (!this.#mailboxes.has(user)) this.#mailboxes.set(user, []);
    return this.#mailboxes.get(user);
  }

  id(number) {
    return `${EPOCH}-${number}`;
  }

  /** The next requests are answered by these, in turn, whatever they ask. */
  instead(...answers) {
    this.#instead.push(...answers);
  }

  /** Those that wait are answered by this reason. */
  endAll(reason, retry_after_ms = 0) {
    for (const poll of [...this.#parked.values()]) poll.end({ ...this.#answer(poll.user, poll.after, reason), retry_after_ms });
  }

  /** The connections of those that wait break. */
  cutAll() {
    for (const poll of [...this.#parked.values()]) poll.cut();
  }

  fetch = (address, { method = 'GET', headers = {}, signal, cache, credentials } = {}) => {
    const { origin, pathname, searchParams } = new URL(address);
    const query = Object.fromEntries(searchParams);
    if (signal?.aborted) return Promise.reject(new DOMException('This operation was aborted', 'AbortError'));
    const request = { at: this.#clock.running, method, origin, path: pathname, query, headers: { ...headers }, cache, credentials };
    this.requests.push(request);
    return new Promise((resolve, reject) => {
      const abort = () => {
        request.aborted = true;
        reject(new DOMException('This operation was aborted', 'AbortError'));
      };
      signal?.addEventListener('abort', abort);
      if (this.network === 'down') return reject(new TypeError(`fetch failed, with ${JSON.stringify(headers)}`));
      if (this.network === 'silent') return;
      if (this.#instead.length) return resolve(response(this.#instead.shift()));
      if (pathname.endsWith('/alive')) return resolve(response(alive(this.#clock.now)));
      const user = this.who(headers.Authorization?.replace('Bearer ', ''));
      this.#poll(user, query, signal, (answer) => resolve(response(answer)), () => reject(new TypeError('network error')));
    });
  };

  #poll(user, { client, after, timeout }, signal, respond, cut) {
    const place = `${user} ${client}`;
    const answer = this.#answer(user, after, 'messages');
    if (answer.count || answer.reset || Number(timeout) === 0)
      return respond(answer.count ? answer : { ...answer, reason: 'timeout' });
    this.#parked.get(place)?.end({ ...answer, reason: 'superseded', retry_after_ms: 1500 });
    const end = (last) => {
      this.#clock.clearTimeout(timer);
      if (this.#parked.get(place) === poll) this.#parked.delete(place);
      if (last) respond(last);
    };
    const timer = this.#clock.setTimeout(() => end({ ...answer, reason: 'timeout', retry_after_ms: 100 }), timeout * 1000);
    const poll = { user, after, end, cut: () => (end(), cut()) };
    this.#parked.set(place, poll);
    signal?.addEventListener('abort', () => end());
  }

  #answer(user, after, reason) {
    const reset = after !== '0' && !after.startsWith(`${EPOCH}-`);
    const from = reset || after === '0' ? 0 : Number(after.split('-')[1]);
    const messages = this.#messages(user).slice(from, from + 100);
    const cursor = messages.at(-1)?.id ?? (reset ? '0' : after);
    return { count: messages.length, messages, cursor, missed: 0, reset, reason, retry_after_ms: 0 };
  }
}

/** As `/poll` answers where nothing else is said. */
export function answer(members) {
  return { count: 0, messages: [], cursor: '0', missed: 0, reset: false, reason: 'timeout', retry_after_ms: 0, ...members };
}

/** As Letterbox refuses. */
export function refusal(status, code, { terminal = false, retry_after_ms = 0, headers = {} } = {}) {
  return { status, headers, body: JSON.stringify({ error: { code, message: `because: ${code}`, terminal, retry_after_ms } }) };
}

/** As something else answers that stands between. */
export function page(status, body = '<h1>Bad Gateway</h1>', headers = {}) {
  return { status, body, headers };
}

function alive(time) {
  return { user: 'alice', unread: 3, time, expires: null, data: { name: 'Alice' } };
}

function response(said) {
  const { status, body, headers } = 'body' in said ? said : { status: 200, body: JSON.stringify(said), headers: {} };
  return { ok: status >= 200 && status < 300, status, headers: new Headers(headers), text: async () => body };
}
