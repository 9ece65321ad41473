// SPDX-License-Identifier: MIT
//
// The page Login: what a page of your own site does. Its back end (login.py) says who is
// logged in, gives the token by which this page polls, and pushes what the page sends.

import { Letterbox } from '../letterbox.js';
import { asText, byId, clock, copyable, setText } from './dom.js';
import { Messages } from './messages.js';
import { attempt, clearNotices, follow, showState, stored } from './session.js';

// Not who is logged in, which the back end alone knows: only that this has changed, for other tabs.
const CHANGED = 'letterbox.login';

const arrived = new Messages();
let letterbox;
let token = '';
let whose = '';

/** Asks the back end; the cookie goes along by itself. */
async function site(what, data = {}) {
  const headers = { 'Content-Type': 'application/json' };
  let response, answer;
  try {
    response = await fetch(`/login/${what}`, { method: 'POST', headers, body: JSON.stringify(data), cache: 'no-store' });
    answer = await response.json();
  } catch {
    throw new Error('The back end could not be reached.');
  }
  if (response.ok) return answer;
  const { error } = answer;
  throw new Error(error?.code === 'away' ? 'The back end is not running: scripts/run starts it.' : asText(error?.message ?? error ?? response.status, 200));
}

/** Who is logged in, and a token for them; shown, and kept in memory alone. */
async function renew() {
  const answer = await site('token');
  token = answer.token ?? '';
  setText(byId('token'), token && `${token.slice(0, 14)}…`);
  setText(byId('ends'), answer.expires ? clock(answer.expires) : '');
  return answer.user;
}

/** Letterbox asks for the token before each request, and says if the server has refused it. */
async function current({ refused }) {
  if (refused && (await renew()) !== whose) become(null);
  return token;
}

/** Polls as this user; null: nobody is logged in. */
function become(user) {
  letterbox?.close();
  letterbox = undefined;
  clearNotices();
  if (byId('to').value === whose) byId('to').value = user ?? '';
  whose = user ?? '';
  if (!user) token = '';
  byId('in').hidden = Boolean(user);
  byId('inside').hidden = byId('send-fields').disabled = !user;
  setText(byId('in-title'), user ? 'Logged in' : 'Log in');
  setText(byId('user'), whose);
  arrived.showAll(whose);
  if (!user) return showState('idle', 'logged out');
  letterbox = new Letterbox({ token: current });
  follow(letterbox, user);
  letterbox.on('message', message => arrived.add(message));
}

async function look() {
  await attempt(byId('in-outcome'), async () => become(await renew()));
}

byId('in').addEventListener('submit', event => {
  event.preventDefault();
  attempt(byId('in-outcome'), async () => {
    await site('in', { name: byId('login-name').value.trim() });
    stored.set(CHANGED, Date.now());
    become(await renew());
    byId('out').focus();
  });
});
byId('out').addEventListener('click', () =>
  attempt(byId('out-outcome'), async () => {
    await site('out');
    stored.set(CHANGED, Date.now());
    become(null);
    byId('login-name').focus();
  }),
);
byId('send').addEventListener('submit', event => {
  event.preventDefault();
  attempt(byId('sent'), async () => {
    const { waiting } = await site('push', { to: byId('to').value.trim(), text: byId('text').value });
    return waiting ? 'Delivered: a client was waiting.' : 'Stored: no client is waiting.';
  });
});
addEventListener('storage', ({ key }) => key === CHANGED && look());

const pageLine = copyable('polls with the token of the back end');
byId('page-line').append(pageLine.node);
pageLine.show(`let token;
const ask = async () => (await (await fetch('/login/token', { method: 'POST', body: '{}' })).json()).token;
const letterbox = new Letterbox({
  token: async ({ refused }) => (token && !refused ? token : (token = await ask())),
});
letterbox.on('note', ({ data }) => console.log(data.from, data.text));`);

const source = copyable('the back end, login.py');
byId('source').append(source.node);
fetch('/login.py')
  .then(response => (response.ok ? response.text() : 'It could not be loaded.'), () => 'It could not be loaded.')
  .then(source.show);
showState('idle', 'logged out');
look();
