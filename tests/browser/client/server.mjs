// SPDX-License-Identifier: MIT
//
// A Letterbox that answers `fetch`, as fcgi/PROTOCOL.md says, with a log of its requests. It has
// one mailbox, unless a test says which token is whose. A test may have it answer something else,
// nothing, or be away. Messages come by polls or by streams, as they are asked for.

const EPOCH = '1795287654123';
const PING = 15_000;
const LIFE = 300_000; // of a stream

export class Server {
  /** Each request: { at, method, path, query, headers, cache, credentials, aborted } */
  requests = [];
  /** 'up'; 'down': no connection; 'silent': connections from which nothing comes, not even their end. */
  network = 'up';
  /** Nothing comes on the open streams, no ping either. */
  still = false;
  /** The answer of /ack, if not its usual one. */
  insteadOfAck;
  /** The user of the mailbox that a request is for, by its token. */
  who = () => 'all';
  #clock;
  #mailboxes = new Map();
  #parked = new Map();
  #instead = [];

  constructor(clock) {
    this.#clock = clock;
  }

  /** Requests for messages: polls and streams. */
  get polls() {
    return this.requests.filter(({ path }) => /\/(poll|events)$/.test(path));
  }

  get acks() {
    return this.requests.filter(({ path }) => path.endsWith('/ack'));
  }

  /** The cursor that it was told last. */
  get told() {
    return this.requests.filter(({ query }) => query.after !== undefined).at(-1).query.after;
  }

  get beats() {
    return this.requests.filter(({ path }) => path.endsWith('/alive'));
  }

  /** Polls that wait, and open streams. */
  get parked() {
    return this.#parked.size;
  }

  push(data, type = 'message', user = 'all') {
    const messages = this.#messages(user);
    const id = `${EPOCH}-${messages.length + 1}`;
    messages.push({ id, type, data, time: this.#clock.now });
    for (const poll of [...this.#parked.values()])
      if (poll.user === user) poll.ring();
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

  /** Answers those that wait with this reason. */
  endAll(reason, retry_after_ms = 0) {
    for (const poll of [...this.#parked.values()]) poll.end({ ...this.#answer(poll.user, poll.after, reason), retry_after_ms });
  }

  /** Sends a test's text or bytes on all open streams. */
  write(chunk) {
    for (const { body } of this.#parked.values()) body?.write(chunk);
  }

  /** Breaks the connections of those that wait. */
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
      if (pathname.endsWith('/ack')) return resolve(response(this.insteadOfAck ?? { acknowledged: query.after }));
      const user = this.who(headers.Authorization?.replace('Bearer ', ''));
      const streams = pathname.endsWith('/events');
      if (streams && !this.#saysPlainly(this.#instead[0])) return resolve(this.#stream(user, query, signal, this.#instead.shift()));
      if (this.#instead.length) return resolve(response(streams ? asOfStream(this.#instead.shift()) : this.#instead.shift()));
      if (pathname.endsWith('/alive')) return resolve(response(alive(this.#clock.now)));
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
    const ring = () => end(this.#answer(user, after, 'messages'));
    const poll = { user, after, ring, end, cut: () => (end(), cut()) };
    this.#parked.set(place, poll);
    signal?.addEventListener('abort', () => end());
  }

  /** Whether this is answered before a stream begins: a page of another program, or a terminal error. */
  #saysPlainly(instead) {
    return instead !== undefined && 'body' in instead && !(parsed(instead.body)?.error?.terminal === false);
  }

  #stream(user, { client, after }, signal, instead = this.#answer(user, after, 'messages')) {
    const place = `${user} ${client}`;
    const body = new Body(signal);
    const timers = new Set();
    const end = (last) => {
      for (const timer of timers) this.#clock.clearTimeout(timer);
      if (this.#parked.get(place) === stream) this.#parked.delete(place);
      if (last) body.write(event('end', { reason: last.reason, retry_after_ms: last.retry_after_ms })), body.end();
    };
    const wait = (call, time) => timers.add(this.#clock.setTimeout(call, time));
    const ping = () => (this.still || body.write(':\n'), wait(ping, PING));
    const tell = (answer) => {
      if (this.still) return;
      stream.after = answer.cursor;
      body.write(events(answer));
    };
    const ring = () => tell(this.#answer(user, stream.after, 'messages'));
    const stream = { user, after, body, ring, end, cut: () => (end(), body.cut()) };
    body.write('retry: 1500\n');
    const refused = parsed(instead.body)?.error;
    if (refused) return end({ reason: refused.code, retry_after_ms: refused.retry_after_ms }), body.response;
    if (!instead.reset) body.write(position(after));
    this.#parked.get(place)?.end({ reason: 'superseded', retry_after_ms: 1500 });
    this.#parked.set(place, stream);
    signal?.addEventListener('abort', () => end());
    tell(instead);
    if (instead.reason !== 'messages') return end(instead), body.response;
    wait(ping, PING);
    wait(() => end({ reason: 'timeout', retry_after_ms: 100 }), LIFE);
    return body.response;
  }

  #answer(user, after, reason) {
    const reset = after !== '0' && !after.startsWith(`${EPOCH}-`);
    const from = reset || after === '0' ? 0 : Number(after.split('-')[1]);
    const messages = this.#messages(user).slice(from, from + 100);
    const cursor = messages.at(-1)?.id ?? (reset ? '0' : after);
    return { count: messages.length, messages, cursor, missed: 0, reset, reason, retry_after_ms: 0 };
  }
}

/** A document as `/poll` answers, unless a test says otherwise. */
export function answer(members) {
  return { count: 0, messages: [], cursor: '0', missed: 0, reset: false, reason: 'timeout', retry_after_ms: 0, ...members };
}

/** The body of a stream: the client reads what is written, chunk by chunk. */
class Body {
  #chunks = [];
  #reads = [];

  constructor(signal) {
    signal?.addEventListener('abort', () => this.#put(() => Promise.reject(new DOMException('This operation was aborted', 'AbortError'))));
  }

  get response() {
    return { ok: true, status: 200, headers: new Headers({ 'Content-Type': 'text/event-stream' }), body: this, text: () => new Promise(() => {}) };
  }

  getReader() {
    return { read: () => new Promise((resolve) => (this.#chunks.length ? resolve(this.#chunks.shift()()) : this.#reads.push(resolve))) };
  }

  write(chunk) {
    const value = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
    if (value.length) this.#put(() => ({ done: false, value }));
  }

  end() {
    this.#put(() => ({ done: true, value: undefined }));
  }

  cut() {
    this.#put(() => Promise.reject(new TypeError('network error')));
  }

  #put(give) {
    if (this.#reads.length) this.#reads.shift()(give());
    else this.#chunks.push(give);
  }
}

/** The text of a stream for this answer. */
export function events({ messages, cursor, missed, reset }) {
  let text = reset ? event('reset', {}) : '';
  if (missed) text += event('missed', { missed });
  if (text && !messages.length) text += position(cursor);
  for (const message of messages) {
    const name = message.type === 'message' ? '' : `event: ${message.type}\n`;
    text += `id: ${message.id}\n${name}data: ${JSON.stringify(message)}\n\n`;
  }
  return text;
}

function position(cursor) {
  return `id: ${cursor}\n${event('position', { cursor })}`;
}

export function event(name, data) {
  return `event: letterbox.${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** A refusal as Letterbox answers it. */
export function refusal(status, code, { terminal = false, retry_after_ms = 0, headers = {} } = {}) {
  return { status, headers, body: JSON.stringify({ error: { code, message: `because: ${code}`, terminal, retry_after_ms } }) };
}

/** A page as a proxy in between answers it. */
export function page(status, body = '<h1>Bad Gateway</h1>', headers = {}) {
  return { status, body, headers };
}

/** To an EventSource, "stop" is 204. */
function asOfStream(said) {
  return parsed(said.body)?.error?.code === 'kicked' ? page(204, '') : said;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function alive(time) {
  return { user: 'alice', unread: 3, time, expires: null, data: { name: 'Alice' } };
}

function response(said) {
  const { status, body, headers } = 'body' in said ? said : { status: 200, body: JSON.stringify(said), headers: {} };
  return { ok: status >= 200 && status < 300, status, headers: new Headers(headers), text: async () => body };
}
