// SPDX-License-Identifier: MIT
//
// The page Chat. Rooms are groups. A line is a message of type `chat` with the data {room,
// from, text, id}, which its author's page pushes to the group. The group `watchers` is told
// who comes online and who leaves (--events-to group:watchers).

import { asText, byId, element, renew, setText, timeElement } from './dom.js';
import { kept } from './kept.js';
import { Outbox } from './outbox.js';
import { ask, encoded } from './server.js';
import { attempt, begin, stored } from './session.js';

const SHOWN = 1000;
const LONGEST = 8000;
// Milliseconds between two looks who is in the room; events tell of changes in between.
const REFRESH = 20_000;

const list = byId('said');
const talk = byId('talk');
const text = byId('text');

let conversation;

/** All rooms of one user, and the one that is open. */
class Conversation {
  #name;
  #outbox;
  /** By room name: {said: Map of messages by their own id, members}. */
  #rooms = new Map();
  #open = null;
  #alive = true;

  constructor(name) {
    this.#name = name;
    this.#outbox = new Outbox(name, () => this.#showPending());
    for (const room of this.#kept()) this.#add(room);
    for (const message of kept(name, 'chat')) this.#take(message);
    const last = stored.get(this.#key('open'));
    this.open(this.#rooms.has(last) ? last : [...this.#rooms.keys()][0] ?? null);
    // Another program may have removed this user from a room meanwhile.
    for (const room of this.#rooms.keys()) this.#enter(room);
    attempt(byId('people-outcome'), () => this.#join('watchers'));
  }

  close() {
    this.#alive = false;
    this.#outbox.close();
  }

  get current() {
    return this.#open;
  }

  #key(what) {
    return `letterbox.${what} ${this.#name}`;
  }

  // - rooms

  /** The rooms that were joined, as this browser knows. */
  #kept() {
    const names = stored.get(this.#key('rooms'), []);
    return Array.isArray(names) ? names.filter(name => typeof name === 'string') : [];
  }

  #add(room) {
    if (!this.#rooms.has(room)) this.#rooms.set(room, { said: new Map(), members: [] });
  }

  async #join(group) {
    await ask('PUT', `/groups/${encoded(group)}/${encoded(this.#name)}`);
  }

  #enter(room) {
    attempt(byId('joined'), () => this.#join(room));
  }

  async join(room) {
    await this.#join(room);
    this.#add(room);
    stored.set(this.#key('rooms'), [...new Set([...this.#kept(), room])]);
    // Messages from before this user left the room, or joined it.
    for (const message of kept(this.#name, 'chat')) this.#take(message);
    this.open(room);
  }

  async leave(room) {
    await ask('DELETE', `/groups/${encoded(room)}/${encoded(this.#name)}`);
    stored.set(this.#key('rooms'), this.#kept().filter(name => name !== room));
    this.#forget(room);
  }

  #forget(room) {
    this.#rooms.delete(room);
    if (this.#open === room) this.open([...this.#rooms.keys()][0] ?? null);
    else this.#showRooms();
  }

  /** Another tab of this browser has joined or left a room, read, or written something. */
  follow(key) {
    if (this.#outbox.holds(key)) this.#showPending();
    if (key === this.#key('rooms')) {
      const names = this.#kept();
      for (const room of names) this.#add(room);
      for (const room of [...this.#rooms.keys()]) if (!names.includes(room)) this.#forget(room);
      if (this.#open === null && names.length) this.open(names[0]);
    }
    this.#showRooms();
  }

  open(room) {
    this.#open = room;
    if (room !== null) stored.set(this.#key('open'), room);
    list.replaceChildren();
    if (room !== null) for (const message of this.#rooms.get(room).said.values()) this.#showMessage(message);
    setText(byId('talk-title'), room ?? 'No room is open');
    byId('leave').hidden = byId('compose').hidden = byId('text-hint').hidden = room === null;
    this.#showPending();
    this.#showPeople();
    this.refresh();
    this.read();
  }

  // - what is said

  /** False: not a chat message, one that was here before, or one for a room that is not ours. */
  #take({ id, data, time }) {
    if (![data?.room, data?.from, data?.text, data?.id].every(part => typeof part === 'string')) return false;
    const room = this.#rooms.get(data.room);
    const own = `${data.from} ${data.id}`;
    if (!room || room.said.has(own)) return false;
    room.said.set(own, { id, time, ...data });
    if (room.said.size > SHOWN) room.said.delete(room.said.keys().next().value);
    return true;
  }

  arrived(message) {
    if (!this.#take(message)) return;
    if (message.data.room === this.#open) this.#showMessage(message.data, message.time);
    if (message.data.from === this.#name) this.#showPending();
    this.read();
  }

  say(words) {
    this.#outbox.add(this.#open, words);
    talk.scrollTop = talk.scrollHeight;
  }

  #showMessage({ from, text: words, time }, when = time) {
    const atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 80;
    list.append(bubble(from, words, timeElement(when), from === this.#name ? 'own' : ''));
    while (list.childElementCount > SHOWN) list.firstElementChild.remove();
    byId('silence').hidden = true;
    if (atEnd || from === this.#name) talk.scrollTop = talk.scrollHeight;
  }

  #showPending() {
    if (!this.#alive) return;
    const said = this.#rooms.get(this.#open)?.said;
    const waiting = this.#outbox?.entries().filter(({ room, id }) => room === this.#open && !said?.has(`${this.#name} ${id}`)) ?? [];
    renew(byId('pending'), waiting.map(entry => this.#pending(entry)));
    setText(byId('silence'), this.#open === null ? 'Join a room to read and write.' : 'No messages yet. Write the first one.');
    byId('silence').hidden = list.childElementCount + waiting.length > 0;
  }

  #pending({ key, text: words, refused }) {
    const state = refused ? element('span', { class: 'bad' }, `refused: ${refused}`) : element('span', {}, 'pending');
    const node = bubble('you', words, state, 'own pending');
    if (refused) node.append(element('button', { type: 'button', class: 'link', onclick: () => this.#outbox.remove(key) }, 'Dismiss'));
    return node;
  }

  // - unread

  /** Marks the open room as read, if the page is visible. */
  read() {
    if (this.#open !== null && document.visibilityState === 'visible') {
      const last = [...this.#rooms.get(this.#open).said.keys()].pop();
      const marks = this.#marks();
      if (last !== undefined && marks[this.#open] !== last) stored.set(this.#key('read'), { ...marks, [this.#open]: last });
    }
    this.#showRooms();
  }

  /** Per room: the last message that was read. */
  #marks() {
    const marks = stored.get(this.#key('read'), {});
    return typeof marks === 'object' ? marks : {};
  }

  /** The number of messages of others after the last one that was read. */
  #unread(room, mark) {
    const { said } = this.#rooms.get(room);
    const all = [...said.keys()];
    return all.slice(all.lastIndexOf(mark) + 1).filter(own => said.get(own).from !== this.#name).length;
  }

  #showRooms() {
    const marks = this.#marks();
    let total = 0;
    const items = [...this.#rooms.keys()].map(room => {
      const unread = this.#unread(room, marks[room]);
      total += unread;
      const current = room === this.#open && 'true';
      const count = unread > 0 && element('span', { class: 'badge strong' }, String(unread), element('span', { class: 'visually-hidden' }, ' unread'));
      return element('li', { 'data-key': room }, element('button', { type: 'button', 'aria-current': current, 'data-key': room, onclick: () => this.open(room) }, element('span', {}, room), count));
    });
    renew(byId('rooms'), items);
    byId('rooms').hidden = items.length === 0;
    byId('no-rooms').hidden = items.length > 0;
    document.title = `${total ? `(${total}) ` : ''}Chat – Letterbox`;
  }

  // - who is there

  /** Looks up who is in the open room. */
  async refresh() {
    const room = this.#open;
    if (room === null) return;
    await attempt(byId('people-outcome'), async () => {
      const { members } = await ask('GET', `/groups/${encoded(room)}`, { query: { limit: 1000 } });
      const known = this.#rooms.get(room);
      if (known) known.members = members;
    });
    if (this.#alive && room === this.#open) this.#showPeople();
  }

  /** An event says that a user has come online, or left. */
  noticed(user, online) {
    for (const { members } of this.#rooms.values()) for (const member of members) if (member.user === user) member.online = online;
    this.#showPeople();
  }

  #showPeople() {
    const members = [...(this.#rooms.get(this.#open)?.members ?? [])].sort((one, other) => other.online - one.online);
    const items = members.map(({ user, online }) =>
      element('li', { class: 'person', 'data-user': user, 'data-online': String(online) },
        element('span', { class: online ? 'dot on' : 'dot' }),
        element('span', {}, user, user === this.#name && element('span', { class: 'muted' }, ' (you)')),
        element('span', { class: 'visually-hidden' }, online ? 'online' : 'away'),
      ),
    );
    renew(byId('people'), items);
    byId('nobody').hidden = items.length > 0;
    byId('online-count').hidden = items.length === 0;
    setText(byId('online-count'), `${members.filter(({ online }) => online).length} online`);
  }
}

function bubble(from, words, when, kind) {
  return element('li', { class: kind },
    element('p', { class: 'about' }, element('b', {}, asText(from, 128)), when),
    element('p', { class: 'said' }, asText(words, LONGEST)),
  );
}

// --- forms ---------------------------------------------------------------------

byId('join').addEventListener('submit', async event => {
  event.preventDefault();
  const field = byId('room');
  const joined = await attempt(byId('joined'), () => {
    if (!conversation) throw new Error('Enter your name above first.');
    return conversation.join(field.value.trim() || field.placeholder);
  });
  if (!joined) return;
  field.value = '';
  text.focus();
});
byId('leave').addEventListener('click', () => attempt(byId('joined'), () => conversation.leave(conversation.current)));

byId('compose').addEventListener('submit', event => {
  event.preventDefault();
  if (text.value.trim() && conversation?.current != null) {
    conversation.say(text.value);
    text.value = '';
  }
  text.focus();
});
text.addEventListener('keydown', event => {
  // Not the Enter that ends a word in an input method.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId('compose').requestSubmit();
});

// --- events from outside ----------------------------------------------------------

addEventListener('storage', ({ key }) => conversation?.follow(key));
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return;
  conversation?.read();
  conversation?.refresh();
});
setInterval(() => document.visibilityState === 'visible' && conversation?.refresh(), REFRESH);

begin((letterbox, name) => {
  conversation?.close();
  const mine = (conversation = new Conversation(name));
  letterbox.on('chat', message => mine.arrived(message));
  letterbox.on('user.online', ({ data }) => mine.noticed(data?.user, true));
  letterbox.on('user.offline', ({ data }) => mine.noticed(data?.user, false));
});
