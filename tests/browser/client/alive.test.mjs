// SPDX-License-Identifier: MIT
//
// Long work of a page: the heartbeat, and buttons that refuse a second press.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser } from './browser.mjs';
import { settle } from './clock.mjs';
import { page, refusal } from './server.mjs';

function open() {
  const door = {};
  door.promise = new Promise((resolve, reject) => Object.assign(door, { resolve, reject }));
  return door;
}

function started() {
  const browser = new Browser();
  const tab = browser.tab();
  return { browser, tab, server: browser.server, Letterbox: tab.window.Letterbox };
}

test('alive() says that the page is in use, and gives what the server answers', async () => {
  const { tab, server } = started();
  const box = tab.letterbox({ share: false, start: false, user: 'alice', token: 't', client: 'phone' });
  const { user, unread, data } = await box.alive();
  assert.deepEqual([user, unread, data.name], ['alice', 3, 'Alice']);
  const [beat] = server.beats;
  assert.equal(beat.method, 'POST');
  assert.equal(beat.cache, 'no-store');
  assert.deepEqual(beat.headers, { Authorization: 'Bearer t' });
  assert.deepEqual(beat.query, { client: 'phone', user: 'alice' });
});

test('alive() is refused with the server\'s reason', async () => {
  const { tab, server } = started();
  const box = tab.letterbox({ share: false, start: false });
  server.instead(refusal(403, 'kicked', { terminal: true }));
  await assert.rejects(box.alive(), { code: 'kicked', status: 403, terminal: true, message: 'because: kicked' });
});

test('a token that is refused to a heartbeat is asked for once more', async () => {
  const { browser, server, Letterbox } = started();
  const work = open();
  const answers = [];
  server.instead(refusal(401, 'bad_token', { terminal: true }));
  const token = ({ refused }) => (refused ? 'new' : 'old');
  const done = Letterbox.keepAlive(work.promise, { token, onBeat: (answer) => void answers.push(answer.user) });
  await browser.advance(20_000);
  assert.deepEqual(answers, ['alice']);
  assert.deepEqual(server.beats.map(({ headers }) => headers.Authorization), ['Bearer old', 'Bearer new']);
  work.resolve();
  await done;
});

test('the heartbeat begins after 20 s, beats every 20 s, is never cached, and ends with the work', async () => {
  const { browser, server, Letterbox } = started();
  const work = open();
  const answers = [];
  const done = Letterbox.keepAlive(work.promise, { onBeat: ({ user }) => void answers.push(user) });
  await browser.advance(19_999);
  assert.equal(server.beats.length, 0);
  await browser.advance(1);
  assert.equal(server.beats.length, 1);
  await browser.advance(40_000);
  assert.deepEqual(server.beats.map(({ at }) => at), [20_000, 40_000, 60_000]);
  assert.ok(server.beats.every(({ method, cache }) => method === 'POST' && cache === 'no-store'));
  assert.deepEqual(answers, ['alice', 'alice', 'alice']);
  work.resolve('report');
  assert.equal(await done, 'report');
  await browser.advance(600_000);
  assert.equal(server.beats.length, 3);
});

test('work that fails ends the heartbeat as well, and its reason is passed on', async () => {
  const { browser, server, Letterbox } = started();
  const work = open();
  const done = Letterbox.keepAlive(work.promise, { after: 10, every: 10 });
  await browser.advance(15);
  work.reject(new Error('no paper'));
  await assert.rejects(done, { message: 'no paper' });
  await browser.advance(600_000);
  assert.equal(server.beats.length, 1);
});

test('work that is done before the first heartbeat has none', async () => {
  const { browser, server, Letterbox } = started();
  assert.equal(await Letterbox.keepAlive(Promise.resolve(1), { after: 0 }), 1);
  await browser.advance(600_000);
  assert.equal(server.beats.length, 0);
});

test('a heartbeat that is on its way when the work is done is aborted, and the page is not told', async () => {
  const { browser, server, Letterbox } = started();
  const work = open();
  const answers = [];
  server.network = 'silent';
  const done = Letterbox.keepAlive(work.promise, { after: 10, onBeat: (answer) => void answers.push(answer) });
  await browser.advance(10);
  work.resolve();
  await done;
  assert.equal(server.beats[0].aborted, true);
  await browser.advance(600_000);
  assert.deepEqual(answers, []);
  assert.equal(server.beats.length, 1);
});

test('heartbeats never overlap, and one without an answer is aborted', async () => {
  const { browser, server, Letterbox } = started();
  const answers = [];
  server.network = 'silent';
  Letterbox.keepAlive(open().promise, { after: 1000, every: 1000, onBeat: ({ code }) => void answers.push(code) });
  await browser.advance(30_000);
  assert.equal(server.beats.length, 1);
  await browser.advance(2000);
  assert.equal(server.beats[0].aborted, true);
  assert.equal(server.beats.length, 2);
  assert.deepEqual(answers, ['network']);
});

test('a heartbeat that fails does not end the work, nor the heart', async () => {
  const { browser, server, Letterbox } = started();
  const work = open();
  const answers = [];
  server.instead(page(502), refusal(503, 'store_unavailable', { retry_after_ms: 5000 }));
  const done = Letterbox.keepAlive(work.promise, {
    after: 1000, every: 1000,
    onBeat: ({ code, user }) => void answers.push(code ?? user),
  });
  await browser.advance(2000);
  await browser.advance(4999);
  assert.equal(server.beats.length, 2, 'the pause that the server asks for is honoured');
  await browser.advance(1);
  assert.deepEqual(answers, ['bad_answer', 'store_unavailable', 'alice']);
  work.resolve('done');
  assert.equal(await done, 'done');
});

test('a terminal error ends the heart, not the work', async () => {
  const { browser, server, Letterbox } = started();
  const work = open();
  server.instead(refusal(403, 'locked', { terminal: true }));
  const done = Letterbox.keepAlive(work.promise, { after: 1000, every: 1000 });
  await browser.advance(60_000);
  assert.equal(server.beats.length, 1);
  work.resolve('done');
  assert.equal(await done, 'done');
});

test('as a member it has the server, user and token of its Letterbox', async () => {
  const { browser, tab, server } = started();
  const box = tab.letterbox({ share: false, start: false, url: '/push', user: 'bob', token: () => 'fresh' });
  box.keepAlive(open().promise, { after: 5 });
  await browser.advance(5);
  assert.equal(server.beats[0].path, '/push/alive');
  assert.deepEqual(server.beats[0].headers, { Authorization: 'Bearer fresh' });
  assert.equal(server.beats[0].query.user, 'bob');
});

/** An element as far as `busy` can tell. */
class Control extends EventTarget {
  attributes = new Map();
  disabled = false;
  constructor(document, localName, type) {
    super();
    Object.assign(this, { document, localName, type });
  }
  setAttribute(name, value) {
    this.attributes.set(name, value);
  }
  removeAttribute(name) {
    this.attributes.delete(name);
  }
  focus() {
    this.document.activeElement = this;
  }
  /** As a person does; a disabled element gets no click. Returns whether the browser went on with its own action. */
  press(type = 'click') {
    return !this.disabled && this.dispatchEvent(new Event(type, { cancelable: true }));
  }
}

function pressing(localName = 'button', type = 'submit') {
  const { tab } = started();
  const { document, Letterbox } = tab.window;
  document.activeElement = document.body = { localName: 'body' };
  return { document, busy: Letterbox.busy, control: new Control(document, localName, type) };
}

test('a button does its work once a press, and refuses another until that is done', async () => {
  const { busy, control } = pressing();
  const doors = [open(), open()];
  let presses = 0;
  busy(control, () => doors[presses++].promise);
  assert.equal(control.press(), false, 'the work replaces the action of the browser');
  assert.equal(control.disabled, true);
  assert.equal(control.attributes.get('aria-busy'), 'true');
  control.press();
  control.dispatchEvent(new Event('click', { cancelable: true })); // as a script does, or an old browser
  assert.equal(presses, 1);
  doors[0].resolve();
  await settle();
  assert.equal(control.disabled, false);
  assert.equal(control.attributes.has('aria-busy'), false);
  control.press();
  assert.equal(presses, 2);
});

test('work that throws leaves the button usable, and its error is not swallowed', async () => {
  for (const work of [() => { throw new Error('oops'); }, () => Promise.reject(new Error('oops'))]) {
    const { busy, control } = pressing();
    let listener;
    control.addEventListener = (type, call) => (listener = call);
    busy(control, work);
    await assert.rejects(listener(new Event('click')), { message: 'oops' }); // browsers report it as unhandled
    assert.equal(control.disabled, false);
  }
});

test('a form is guarded by its submit: its submit buttons are disabled, and no other buttons', async () => {
  const { document, busy, control: form } = pressing('form');
  const [send, also, off, field] = [['button', 'submit'], ['input', 'submit'], ['button', 'submit'], ['input', 'text']].map(
    ([name, type]) => new Control(document, name, type),
  );
  off.disabled = true;
  form.elements = [send, also, off, field];
  const door = open();
  let presses = 0;
  busy(form, () => (++presses, door.promise));
  assert.equal(form.press('submit'), false);
  assert.equal(form.press('submit'), false);
  assert.equal(presses, 1);
  assert.deepEqual([send, also, off, field].map(({ disabled }) => disabled), [true, true, true, false]);
  assert.equal(form.attributes.get('aria-busy'), 'true');
  door.resolve();
  await settle();
  assert.deepEqual([send, also, off, field].map(({ disabled }) => disabled), [false, false, true, false]);
});

test('the focus that a button loses while it is disabled comes back, unless it is elsewhere by then', async () => {
  for (const elsewhere of [false, true]) {
    const { document, busy, control } = pressing();
    const door = open();
    busy(control, () => door.promise);
    control.focus();
    control.press();
    document.activeElement = elsewhere ? { localName: 'input' } : document.body;
    door.resolve();
    await settle();
    assert.equal(document.activeElement === control, !elsewhere);
  }
});

test('the function that busy returns removes the guard', async () => {
  const { busy, control } = pressing();
  let presses = 0;
  const away = busy(control, () => void ++presses);
  away();
  assert.equal(control.press(), true);
  assert.equal(presses, 0);
});
