// SPDX-License-Identifier: MIT
//
// The page Start: what arrives, sending, and how a back end does the same.

import { asText, byId, copyable, setText } from './dom.js';
import { Messages } from './messages.js';
import { curlLine, outcome, push } from './server.js';
import { attempt, begin } from './session.js';
import { Snippet } from './snippets.js';

// Characters that are shown of an answer, or of a message as JSON.
const LONGEST = 5000;

const form = byId('send');
const tokenOf = user => ({ json: { user, ttl: 3600 } });
const pollLine = copyable('waits for a message');
const pageLine = copyable('listens in a page');
const sendLine = new Snippet('sends this message', '/push', { text: 'hello' });
const tokenLine = new Snippet('asks for a token', '/tokens', tokenOf('alice'));
const arrived = new Messages(showRaw);
let whose = '';

byId('poll-line').append(pollLine.node);
byId('page-line').append(pageLine.node);
byId('send-line').append(sendLine.node);
byId('token-line').append(tokenLine.node);

/** The newest message as /poll has it. */
function showRaw(message) {
  byId('no-raw').hidden = message !== null;
  byId('raw').hidden = message === null;
  if (!message) return;
  const { id, kind, data, time } = message;
  setText(byId('raw'), asText(JSON.stringify({ id, type: kind, data, time }), LONGEST));
}

/** What the form asks for, as `push` takes it. */
function meant() {
  const { to, type, text } = Object.fromEntries(new FormData(form));
  return { to: to.trim(), type: type.trim(), text };
}

function showLine() {
  const { to, type, text } = meant();
  sendLine.show({ query: { to: to || whose || 'alice', type }, text: text || 'hello' });
}

function showAnswer(status, body) {
  byId('no-answer').hidden = true;
  byId('answer').hidden = false;
  setText(byId('answer'), `HTTP ${status}\n${asText(body.trim(), LONGEST)}`);
}

form.addEventListener('input', showLine);
form.addEventListener('submit', event => {
  event.preventDefault();
  attempt(byId('sent'), async () => outcome(await push({ ...meant(), answered: showAnswer })));
});
showLine();
pollLine.show(curlLine('GET', '/poll', { query: { user: 'alice', client: 'shell' } }));
pageLine.show(`<script type="module">
  import { Letterbox } from '/letterbox.js';
  const letterbox = new Letterbox({ token: 'lb_…' }); // from your back end
  letterbox.on('message', ({ kind, data }) => console.log(kind, data));
</script>`);

begin((letterbox, name) => {
  const field = form.elements.namedItem('to');
  if (!field.value || field.value === whose) field.value = name;
  whose = name;
  showLine();
  pollLine.show(curlLine('GET', '/poll', { query: { user: name, client: 'shell' } }));
  tokenLine.show(tokenOf(name));
  arrived.showAll(name);
  letterbox.on('message', message => arrived.add(message));
});
