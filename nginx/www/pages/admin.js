// SPDX-License-Identifier: MIT
//
// The page Admin: who is online, what becomes of one user, telling one or many. It asks
// the private face, and polls as a user of its own, by default `admin`, to hear who comes
// and goes.

import { showFigures } from './admin-figures.js';
import { asText, byId, clock, duration, element, renew, setText, timeElement } from './dom.js';
import { ask, encoded, keyField, outcome, push } from './server.js';
import { attempt, begin } from './session.js';

// Milliseconds between two looks; events make it look at once.
const REFRESH = 5000;
const PAGE = 50;

const one = byId('one').elements;
const users = byId('users');
let after = '';
let following = null;

// --- who is online ----------------------------------------------------------------

let looking = false;
let again = false;

/** Looks who is online; once more where something has happened meanwhile. */
async function look() {
  again = looking;
  if (looking) return;
  looking = true;
  do {
    again = false;
    await attempt(byId('online-outcome'), async () => {
      const answer = await ask('GET', '/users', { query: { prefix: byId('prefix').value, after, limit: PAGE } });
      following = answer.next;
      showUsers(answer);
    });
  } while (again);
  looking = false;
}

function showUsers({ online, users: found }) {
  setText(byId('online-count'), `${online.toLocaleString('en')} in all`);
  renew(byId('rows'), found.map(userRow));
  users.hidden = found.length === 0;
  byId('nobody').hidden = found.length > 0;
  byId('first').hidden = after === '';
  byId('next').hidden = following === null;
}

function userRow({ user, last_activity, clients }) {
  const [{ address = '', agent = '' } = {}] = clients;
  const others = clients.length > 1 && element('span', { class: 'badge plain' }, `${clients.length} clients`);
  return element('tr', { 'data-user': user, 'data-key': user, 'aria-current': one.user.value === user && 'true' },
    element('td', {}, element('button', { type: 'button', class: 'link', 'data-key': user, onclick: () => choose(user) }, user)),
    element('td', { class: 'number', title: clock(last_activity) }, `${duration(Math.max(0, Date.now() - last_activity))} ago`),
    element('td', {}, asText(address, 60), ' ', others),
    element('td', { class: 'agent', title: agent }, asText(agent, 200)),
  );
}

byId('filter').addEventListener('submit', event => event.preventDefault());
byId('prefix').addEventListener('input', () => {
  after = '';
  look();
});
byId('next').addEventListener('click', () => {
  after = following ?? '';
  look();
});
byId('first').addEventListener('click', () => {
  after = '';
  look();
});

// --- one user ---------------------------------------------------------------------

function choose(user) {
  one.user.value = user;
  byId('to').value = user;
  attempt(byId('one-outcome'), lookUp);
}

async function lookUp() {
  const query = { user: one.user.value.trim() };
  byId('facts').replaceChildren();
  const [user, mailbox] = await Promise.all([ask('GET', '/users', { query }), ask('GET', '/mailbox', { query })]);
  showFacts(user, mailbox);
  look();
}

function showFacts({ user, online, last_activity, clients, locked }, { queued }) {
  const standing = locked ? element('span', { class: 'bad' }, 'locked since ', timeElement(locked.since), locked.reason && `: ${asText(locked.reason, 200)}`) : 'welcome';
  const facts = {
    User: user,
    Online: online ? 'yes' : 'no',
    Standing: standing,
    'Last activity': last_activity ? timeElement(last_activity) : 'not known',
    Clients: clients.map(({ client }) => client || '(unnamed)').join(', ') || 'none',
    Unread: `${queued} in the mailbox`,
  };
  byId('facts').replaceChildren(...Object.entries(facts).flatMap(([name, fact]) => [element('dt', {}, name), element('dd', {}, fact)]));
}

/** Makes a button do something to the user whose name is in the field, and look again. */
function act(button, path, body, done) {
  byId(button).addEventListener('click', () =>
    attempt(byId('one-outcome'), async () => {
      const user = one.user.value.trim();
      await ask('POST', path, { json: { user, ...body() } });
      await lookUp();
      return done(user);
    }),
  );
}

const reason = () => (one.reason.value ? { reason: one.reason.value } : {});
const howLong = () => (one.for.value.trim() ? { for: Number(one.for.value) } : {});

act('kick', '/users/kick', () => ({ ...reason(), ...howLong() }), user => `${user} was thrown out.`);
act('lock', '/users/lock', reason, user => `${user} is locked.`);
act('unlock', '/users/unlock', () => ({}), user => `${user} may come again.`);
byId('one').addEventListener('submit', event => {
  event.preventDefault();
  attempt(byId('one-outcome'), lookUp);
});

// --- telling ----------------------------------------------------------------------

const telling = byId('push');

telling.addEventListener('change', () => {
  byId('to-field').hidden = telling.elements.whom.value === 'all';
});
telling.addEventListener('submit', event => {
  event.preventDefault();
  const { whom, to, type, text } = Object.fromEntries(new FormData(telling));
  const recipient = { user: to.trim(), group: `group:${to.trim()}`, all: '*' }[whom];
  attempt(byId('pushed'), async () => outcome(await push({ to: recipient, type: type.trim(), text })));
});

// --- going on ---------------------------------------------------------------------

keyField(byId('key-form'), look);
showFigures(byId('figures'), work => attempt(byId('figures-outcome'), work));
setInterval(() => document.visibilityState === 'visible' && look(), REFRESH);
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && look());
look();

begin(
  (letterbox, name) => {
    attempt(byId('online-outcome'), async () => void (await ask('PUT', `/groups/watchers/${encoded(name)}`)));
    letterbox.on('user.online', look);
    letterbox.on('user.offline', look);
  },
  { place: 'letterbox.admin', otherwise: 'admin' },
);
