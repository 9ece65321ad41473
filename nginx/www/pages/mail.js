// SPDX-License-Identifier: MIT
//
// The page Mail: the notifications of a web mail. `KINDS` has for each type of message its
// name, what the page does with it, and an example to push.

import { asText, byId, copyable, element, renew, setText, timeElement } from './dom.js';
import { forget, kept } from './kept.js';
import { curlLine, outcome, push } from './server.js';
import { attempt, begin } from './session.js';
import { Timeline } from './timeline.js';

const SHOWN = 100;

const SENDERS = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Donald', 'Radia'];
const SUBJECTS = ['Minutes of Tuesday', 'Lunch at noon?', 'Your order is on its way', 'Re: the draft', 'Photos of the weekend', 'Invoice for November'];
const EVENTS = ['Stand-up', 'Dentist', 'Review of the plan', 'Train to Ghent'];

const inbox = byId('inbox');
const line = copyable('pushes this notification');
const timeline = new Timeline(byId('timeline'), byId('legend'), byId('life-details'), byId('life'));
/** Mails by their own id: {from, subject, time, read}. */
let mails = new Map();
let others = new Map();
let whose = '';

/** A member that the data has itself: a message may bring data of any kind. */
const member = (data, name) => (data !== null && typeof data === 'object' && Object.hasOwn(data, name) ? data[name] : undefined);
const any = list => list[Math.floor(Math.random() * list.length)];
const oldestUnread = () => [...mails].find(([, { read }]) => !read)?.[0];

const KINDS = {
  'mail.new': {
    name: 'New mail',
    what: 'goes into the inbox',
    takes({ id, data, time }) {
      const from = asText(member(data, 'from') ?? 'an unknown sender', 100);
      const subject = asText(member(data, 'subject') ?? data, 300);
      mails.set(String(member(data, 'mail') ?? id), { from, subject, time, read: false });
      while (mails.size > SHOWN) mails.delete(mails.keys().next().value);
      return `New mail from ${from}`;
    },
    example: () => ({ mail: `m${Date.now().toString(36)}`, from: any(SENDERS), subject: any(SUBJECTS) }),
  },
  'mail.read': {
    name: 'Read elsewhere',
    what: 'marks the oldest unread mail as read',
    takes({ data }) {
      const mail = mails.get(String(member(data, 'mail')));
      if (!mail) return '';
      mail.read = true;
      return 'A mail was read elsewhere';
    },
    example: () => ({ mail: oldestUnread() ?? 'none' }),
  },
  'mail.quota': {
    name: 'Quota',
    what: 'shows how full the mailbox is',
    takes({ data }) {
      const percent = Math.min(100, Math.max(0, Number(member(data, 'percent'))));
      if (Number.isNaN(percent)) return '';
      const meter = element('meter', { min: 0, max: 100, low: 80, high: 90, optimum: 0, value: percent, 'aria-labelledby': 'quota-label' });
      byId('quota').replaceChildren(element('span', {}, `${percent} %${percent >= 90 ? ', nearly full' : ''}`), meter);
      return `Quota: ${percent} percent used`;
    },
    example: () => ({ percent: 80 + Math.floor(Math.random() * 20) }),
  },
  'calendar.next': {
    name: 'Calendar',
    what: 'shows the next appointment',
    takes({ data }) {
      const title = asText(member(data, 'title') ?? 'something', 100);
      const at = member(data, 'at');
      setText(byId('event'), at === undefined ? title : `${title}, ${asText(at, 40)}`);
      return `In the calendar: ${title}`;
    },
    example: () => ({ title: any(EVENTS), at: `${9 + Math.floor(Math.random() * 9)}:30` }),
  },
};

// --- showing ---------------------------------------------------------------------

function take(message) {
  if (!Object.hasOwn(KINDS, message.kind)) {
    noteOther(message.kind);
    return '';
  }
  return KINDS[message.kind].takes(message);
}

function show() {
  const items = [...mails].reverse().map(([id, { from, subject, time, read }]) =>
    element('li', { class: read ? 'read' : 'unread', 'data-key': id },
      element('span', { class: 'mark', 'aria-hidden': 'true' }),
      element('div', {},
        element('p', { class: 'about' }, element('span', {}, from), timeElement(time), !read && element('span', { class: 'visually-hidden' }, 'unread')),
        element('p', { class: 'subject' }, subject),
      ),
    ),
  );
  renew(inbox, items);
  inbox.hidden = byId('forget').hidden = items.length === 0;
  byId('nothing').hidden = items.length > 0;
  const unread = [...mails.values()].filter(({ read }) => !read).length;
  setText(byId('unread'), String(unread));
  document.title = `${unread ? `(${unread}) ` : ''}Mail – Letterbox`;
}

function noteOther(kind) {
  others.set(kind, (others.get(kind) ?? 0) + 1);
  while (others.size > 20) others.delete(others.keys().next().value);
  const list = [...others].map(([name, count]) => `${asText(name, 40)} (${count})`).join(', ');
  setText(byId('others'), `The page ignores types that it has no handler for. So far: ${list}.`);
}

function clear() {
  mails = new Map();
  others = new Map();
  setText(byId('quota'), 'not known yet');
  setText(byId('event'), 'nothing yet');
  show();
}

// --- pushing ---------------------------------------------------------------------

function pushExample(kind) {
  const json = KINDS[kind].example();
  line.show(curlLine('POST', '/push', { query: { to: whose || 'alice', type: kind }, json }));
  attempt(byId('pushed'), async () => outcome(await push({ to: whose, type: kind, json })));
}

byId('push-line').append(line.node);
byId('kinds').append(
  ...Object.entries(KINDS).map(([kind, { name, what }]) =>
    element('button', { type: 'button', class: 'quiet kind', 'data-kind': kind, onclick: () => pushExample(kind) },
      element('span', {}, name, element('span', { class: 'muted small what' }, what)),
      element('code', {}, kind),
    ),
  ),
);
line.show(curlLine('POST', '/push', { query: { to: 'alice', type: 'mail.new' }, json: { from: 'Ada', subject: 'Lunch at noon?' } }));
byId('forget').addEventListener('click', () => {
  forget(whose);
  clear();
});
addEventListener('resize', () => timeline.draw());
timeline.keepDrawing(byId('now'));

begin((letterbox, name) => {
  whose = name;
  clear();
  timeline.clear();
  kept(name, ...Object.keys(KINDS)).forEach(take);
  show();
  letterbox.on('state', event => timeline.record(event));
  letterbox.on('message', message => {
    setText(byId('news'), take(message));
    show();
  });
});
