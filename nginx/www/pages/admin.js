// SPDX-License-Identifier: MIT
//
// The page Admin: who is online, one user with tokens and messages, groups, and pushing to one or many. It asks
// the private API, and polls as a user of its own, by default `admin`, to hear who comes and
// goes. It asks back before anything that can't be undone.

import { showFigures } from './admin-figures.js';
import { leafThroughGroups, lookAtGroups } from './admin-groups.js';
import { offerMessages } from './admin-messages.js';
import { confirmed } from './confirm.js';
import { asText, byId, clock, counted, duration, element, renew, setText, timeElement } from './dom.js';
import { ask, curlLine, encoded, keyField, outcome, push } from './server.js';
import { attempt, begin } from './session.js';

// Milliseconds between two looks; events make it look at once.
const REFRESH = 5000;
const PAGE = 50;

const one = byId('one').elements;
const users = byId('users');
let after = '';
let following = null;
let onlineInAll = 0;

// --- who is online ----------------------------------------------------------------

let looking = false;
let again = false;

/** Looks who is online; once more if something has happened meanwhile. */
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
  onlineInAll = online;
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
  return element('tr', { role: 'row', 'data-user': user, 'data-key': user, 'aria-current': one.user.value === user && 'true' },
    element('td', { role: 'cell' }, element('button', { type: 'button', class: 'link', 'data-key': user, onclick: () => choose(user) }, user)),
    element('td', { role: 'cell', class: 'number', title: clock(last_activity) }, `${duration(Math.max(0, Date.now() - last_activity))} ago`),
    element('td', { role: 'cell' }, asText(address, 60), ' ', others),
    element('td', { role: 'cell', class: 'agent', title: agent }, asText(agent, 200)),
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

/** Whether the user in the field is locked; null: not known. */
let isLocked = null;
/** Look-ups so far: only the last one counts. */
let turns = 0;

const chosen = () => one.user.value.trim();

function choose(user) {
  one.user.value = user;
  byId('to').value = user;
  attempt(byId('one-outcome'), async () => {
    await lookUp();
    // On a phone it is far below the list.
    byId('one').scrollIntoView({ block: 'nearest' });
  });
}

/** Another name is in the field: nothing is known of it yet. */
function forgetFacts() {
  turns++;
  isLocked = null;
  byId('facts').replaceChildren();
  byId('tokens-part').hidden = true;
  offerMessages('');
  setText(byId('one-outcome'), '');
  showActions();
}

async function lookUp() {
  forgetFacts();
  const turn = turns;
  const query = { user: chosen() };
  const [user, mailbox, { tokens }] = await Promise.all([ask('GET', '/users', { query }), ask('GET', '/mailbox', { query }), ask('GET', '/tokens', { query })]);
  if (turn !== turns) return;
  isLocked = user.locked !== null;
  showFacts(user, mailbox);
  showTokens(user.user, tokens);
  offerMessages(user.user, mailbox.queued);
  showActions();
  look();
}

function showFacts({ user, online, last_activity, clients, locked, groups }, { queued }) {
  const standing = locked ? element('span', { class: 'bad' }, 'locked since ', timeElement(locked.since), locked.reason && `: ${asText(locked.reason, 200)}`) : 'not locked';
  const facts = {
    User: user,
    Online: online ? 'yes' : 'no',
    Access: standing,
    'Last activity': last_activity ? timeElement(last_activity) : 'not known',
    Clients: clients.map(({ client }) => client || '(unnamed)').join(', ') || 'none',
    Groups: groups.map(group => asText(group, 64)).join(', ') || 'none',
    Unread: `${queued} in the mailbox`,
  };
  byId('facts').replaceChildren(...Object.entries(facts).flatMap(([name, fact]) => [element('dt', {}, name), element('dd', {}, fact)]));
}

/** What can be done now. What is not known to be done already can be tried. */
function showActions() {
  byId('kick').disabled = !chosen();
  byId('lock').disabled = !chosen() || isLocked === true;
  byId('unlock').disabled = !chosen() || isLocked === false;
  byId('erase').disabled = !chosen();
}

/** Makes a button do something to the user in the field, after a question if there is one, and look again. */
function act(button, path, { body = () => ({}), question, done }) {
  byId(button).addEventListener('click', () =>
    attempt(byId('one-outcome'), async () => {
      const user = chosen();
      if (question && !(await confirmed(...question(user)))) return '';
      await ask('POST', path, { json: { user, ...body() } });
      await lookUp();
      // The button may have become useless, and lost the focus by that.
      if (byId(button).disabled) byId(button === 'lock' ? 'unlock' : 'lock').focus();
      return done(user);
    }),
  );
}

const reason = () => (one.reason.value ? { reason: one.reason.value } : {});
const howLong = () => (one.for.value.trim() ? { for: Number(one.for.value) } : {});

act('kick', '/users/kick', {
  body: () => ({ ...reason(), ...howLong() }),
  question: user => [`Kick ${user}?`, `This ends all polls and streams of ${user}, and all tokens made until now. Without a token ${user} can come back after ${one.for.value.trim() || 60} seconds.`, 'Kick'],
  done: user => `${user} was kicked.`,
});
act('lock', '/users/lock', {
  body: reason,
  question: user => [`Lock ${user}?`, `This ends all polls and streams of ${user}, and refuses new ones until you unlock. Messages are kept.`, 'Lock'],
  done: user => `${user} is locked.`,
});
act('unlock', '/users/unlock', { done: user => `${user} is unlocked.` });
byId('erase').addEventListener('click', () =>
  attempt(byId('one-outcome'), async () => {
    const user = chosen();
    const what = `This removes the messages, scheduled messages and tokens of ${user}, what is known of their being online, a lock or kick, and their place in every group. It can't be undone.`;
    if (!(await confirmed(`Erase ${user}?`, what, 'Erase'))) return '';
    const { messages, tokens, scheduled, groups } = await ask('DELETE', `/users/${encoded(user)}`);
    await lookUp();
    lookAtGroups(pushToGroup);
    return `${user} was erased: ${counted(messages, 'message')}, ${counted(scheduled, 'scheduled message')}, ${counted(tokens, 'token')}, ${counted(groups.length, 'group')}.`;
  }),
);
byId('one').addEventListener('submit', event => {
  event.preventDefault();
  attempt(byId('one-outcome'), lookUp);
});
one.user.addEventListener('input', forgetFacts);
one.user.addEventListener('change', () => chosen() && attempt(byId('one-outcome'), lookUp));

// --- tokens of that user ------------------------------------------------------------

function showTokens(user, tokens) {
  byId('tokens-part').hidden = false;
  setText(byId('tokens-count'), String(tokens.length));
  byId('no-tokens').hidden = tokens.length > 0;
  byId('tokens').hidden = tokens.length === 0;
  renew(byId('tokens'), tokens.map(token => tokenItem(user, token)));
}

function tokenItem(user, { id, created, expires, used, address, client }) {
  const label = `Revoke ${id}`;
  const use = used ? ['last used ', timeElement(used), ` from ${asText(address, 60)}`] : ['never used'];
  return element('li', { 'data-key': id },
    element('div', {},
      element('p', { class: 'id' }, element('code', {}, id), client && element('span', { class: 'badge plain' }, `for ${asText(client, 64)}`)),
      element('p', { class: 'muted small' }, 'made ', timeElement(created), ', ends ', timeElement(expires), ', ', ...use),
    ),
    element('button', { type: 'button', class: 'link', 'aria-label': label, 'data-key': id, onclick: () => revoke({ id }, `Revoke this token of ${user}?`) }, 'Revoke'),
  );
}

/** One token, or all of a user. */
function revoke(query, title) {
  attempt(byId('tokens-outcome'), async () => {
    if (!(await confirmed(title, 'Polls and streams that use it end now, and it is refused from then on.', 'Revoke'))) return '';
    const { revoked } = await ask('DELETE', '/tokens', { query });
    await lookUp();
    byId('tokens-title').focus();
    return `${counted(revoked, 'token')} revoked.`;
  });
}

byId('revoke-all').addEventListener('click', () => revoke({ user: chosen() }, `Revoke all tokens of ${chosen()}?`));

// --- pushing ----------------------------------------------------------------------

const pushing = byId('push');

pushing.addEventListener('change', () => {
  byId('to-field').hidden = pushing.elements.whom.value === 'all';
});
pushing.addEventListener('submit', event => {
  event.preventDefault();
  const { whom, to, type, text } = Object.fromEntries(new FormData(pushing));
  const recipient = { user: to.trim(), group: `group:${to.trim()}`, all: '*' }[whom];
  attempt(byId('pushed'), async () => {
    if (whom === 'all' && !(await confirmed('Push to all who are online?', `${counted(onlineInAll, 'user')} online now will get this message.`, 'Push'))) return '';
    return outcome(await push({ to: recipient, type: type.trim(), text }));
  });
});

/** A group was chosen: the next push is to it. */
function pushToGroup(group) {
  pushing.elements.whom.value = 'group';
  pushing.elements.to.value = group;
  byId('to-field').hidden = false;
  pushing.elements.to.focus();
}

// --- going on ---------------------------------------------------------------------

setText(byId('nobody-line'), curlLine('GET', '/poll', { query: { user: 'alice' } }));
showActions();
leafThroughGroups(pushToGroup);
keyField(byId('key-form'), () => {
  look();
  lookAtGroups(pushToGroup);
});
showFigures(byId('figures'), work => attempt(byId('figures-outcome'), work));
setInterval(() => document.visibilityState === 'visible' && look(), REFRESH);
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && look());
look();
lookAtGroups(pushToGroup);

begin(
  (letterbox, name) => {
    attempt(byId('online-outcome'), async () => void (await ask('PUT', `/groups/watchers/${encoded(name)}`)));
    letterbox.on('user.online', look);
    letterbox.on('user.offline', look);
  },
  { place: 'letterbox.admin', otherwise: 'admin' },
);
