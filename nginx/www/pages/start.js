// SPDX-License-Identifier: MIT
//
// The page Start: what arrives, sending, and curl lines for both.

import { asText, byId, copyable, element, timeElement, trim } from './dom.js';
import { forget, kept } from './kept.js';
import { curlLine, outcome, push } from './server.js';
import { attempt, begin } from './session.js';

const SHOWN = 200;

const list = byId('arrived');
const form = byId('send');
const pollLine = copyable('waits for a message');
const sendLine = copyable('sends this message');
let whose = '';

byId('poll-line').append(pollLine.node);
byId('send-line').append(sendLine.node);

function show(message) {
  list.prepend(
    element('li', {},
      element('p', { class: 'about' }, element('span', { class: 'badge' }, asText(message.kind, 64)), timeElement(message.time), element('span', {}, message.id)),
      element('p', { class: 'said' }, asText(message.data)),
    ),
  );
  trim(list, SHOWN);
  showWhether();
}

function showWhether() {
  const any = list.childElementCount > 0;
  byId('nothing').hidden = any;
  list.hidden = byId('forget').hidden = !any;
}

/** What the form asks for, as `push` and `curlLine` take it. */
function meant() {
  const { to, type, text } = Object.fromEntries(new FormData(form));
  return { to: to.trim(), type: type.trim(), text };
}

function showLine() {
  const { to, type, text } = meant();
  sendLine.show(curlLine('POST', '/push', { query: { to: to || whose || 'alice', type }, text: text || 'hello' }));
}

form.addEventListener('input', showLine);
form.addEventListener('submit', event => {
  event.preventDefault();
  attempt(byId('sent'), async () => outcome(await push(meant())));
});
byId('forget').addEventListener('click', () => {
  forget(whose);
  list.replaceChildren();
  showWhether();
});
showLine();
pollLine.show(curlLine('GET', '/poll', { query: { user: 'alice', client: 'shell' } }));

begin((letterbox, name) => {
  const field = form.elements.namedItem('to');
  if (!field.value || field.value === whose) field.value = name;
  whose = name;
  showLine();
  pollLine.show(curlLine('GET', '/poll', { query: { user: name, client: 'shell' } }));
  list.replaceChildren();
  kept(name).slice(-SHOWN).forEach(show);
  showWhether();
  letterbox.on('message', show);
});
