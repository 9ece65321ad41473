// SPDX-License-Identifier: MIT
//
// Asks the private API, as a back end would, and writes the curl line for the same. nginx lets
// in this machine alone.

import { setText } from './dom.js';

const KEY = 'letterbox.key';

/** A request that the server has refused, or that has not reached it; the message is the server's. */
export class Refused extends Error {
  constructor(code, message, status, retryAfter) {
    super(message);
    this.code = code;
    this.status = status;
    /** Milliseconds; 0 where trying again is pointless. */
    this.retryAfter = retryAfter;
  }
}

// --- the key -----------------------------------------------------------------

/** The key of the private API, if it has one (--key-file): for this tab, until it is closed. */
export const key = {
  get: () => stored(() => sessionStorage.getItem(KEY)) ?? '',
  set: text => stored(() => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY))),
};

/** Storage may be forbidden to a page. */
function stored(work) {
  try {
    return work();
  } catch {
    return null;
  }
}

/** Makes a form of the field for the key. `changed` is called after the key was set or removed. */
export function keyField(form, changed) {
  const [field, state] = [form.querySelector('input'), form.querySelector('output')];
  const show = () => setText(state, key.get() ? 'A key is set in this tab.' : 'No key is set.');
  form.addEventListener('submit', event => {
    event.preventDefault();
    key.set(field.value.trim());
    field.value = '';
    show();
    changed();
  });
  show();
}

// --- requests ----------------------------------------------------------------

/** A part of a path or query. `:`, `,` and `@` need no escape there, and read better without. */
export const encoded = text => encodeURIComponent(text).replace(/%3A/g, ':').replace(/%2C/g, ',').replace(/%40/g, '@');

/** `?to=alice&type=mail`; empty and undefined values are left out. */
function queryOf(query) {
  const said = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  return said.length ? '?' + said.map(([name, value]) => `${name}=${encoded(String(value))}`).join('&') : '';
}

/** The address of a request, as another program would need it. */
export const urlOf = (path, query = {}) => location.origin + path + queryOf(query);

/**
 * Asks the private API.
 * @param {string} path with a leading slash
 * @param {{ query?: object, text?: string, json?: any, answered?: (status: number, body: string) => void }} [request]
 *   `text` or `json` is the body; `answered` hears the answer as it came
 * @returns the answer, parsed; of /metrics its text
 * @throws {Refused}
 */
export async function ask(method, path, { query = {}, text, json, answered = () => {} } = {}) {
  const headers = new Headers();
  if (json !== undefined) headers.set('Content-Type', 'application/json');
  let response, body;
  try {
    if (key.get()) headers.set('Authorization', `Bearer ${key.get()}`);
    const content = json === undefined ? text : JSON.stringify(json);
    response = await fetch(path + queryOf(query), { method, headers, body: content, cache: 'no-store', credentials: 'omit' });
    body = await response.text();
  } catch (error) {
    if (error instanceof TypeError && /header|ByteString/i.test(error.message)) throw new Refused('bad_key', 'a key has printable ASCII characters only', 0, 0);
    throw new Refused('network', 'the server could not be reached', 0, 2000);
  }
  answered(response.status, body);
  if (response.ok && path.startsWith('/metrics')) return body;
  const answer = parsed(body);
  if (response.ok && answer !== undefined) return answer;
  const said = answer?.error;
  if (typeof said?.message === 'string') throw new Refused(String(said.code), said.message, response.status, said.terminal ? 0 : Number(said.retry_after_ms) || 2000);
  throw new Refused('bad_answer', `status ${response.status}, but not an answer of Letterbox`, response.status, 5000);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Pushes text, or any other value as JSON. It fails if one of several recipients is refused. */
export async function push({ to, type, text, json, answered }) {
  const answer = await ask('POST', '/push', { query: { to, type }, text, json, answered });
  const failed = answer.results?.find(result => result.error);
  if (failed) throw new Refused(failed.error.code, `${failed.to}: ${failed.error.message}`, 200, 0);
  return answer;
}

/** The outcome of a push, in words. */
export function outcome(answer) {
  if (answer.accepted !== undefined) return `Stored for ${answer.accepted} of ${answer.count}; clients of ${answer.waiting} were waiting.`;
  if (answer.results) return `Stored for ${answer.results.length}.`;
  return answer.waiting ? 'Delivered: a client was waiting.' : `Stored: no client is waiting, ${answer.queued} unread.`;
}

// --- the same for a shell ----------------------------------------------------

/** A word for a POSIX shell, which takes it as it is. */
export const quoted = text => `'${text.replaceAll("'", "'\\''")}'`;

/** `curl 'http://…/poll?…'`: as `ask` asks. */
export function curlLine(method, path, { query = {}, text, json } = {}) {
  const words = ['curl'];
  const content = json === undefined ? text : JSON.stringify(json);
  if (method !== (content === undefined ? 'GET' : 'POST')) words.push('-X', method);
  if (json !== undefined) words.push('-H', quoted('Content-Type: application/json'));
  // Not -d, to which a leading @ would be the name of a file.
  if (content !== undefined) words.push('--data-raw', quoted(content));
  words.push(quoted(urlOf(path, query)));
  return words.join(' ');
}
