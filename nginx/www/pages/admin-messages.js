// SPDX-License-Identifier: MIT
//
// The page Admin: the messages that wait in one user's mailbox. To look at them acknowledges
// nothing. One of them can be retracted, after a question.

import { confirmed } from './confirm.js';
import { asText, byId, element, renew, setText, timeElement } from './dom.js';
import { ask } from './server.js';
import { attempt } from './session.js';

const PAGE = 20;

let user = '';
/** The ids after which the pages begin that were seen so far, the present one last. */
let starts = [''];
let last = '';

/** Another user is looked up (empty: none). The messages are private: they are shown when they are asked for. */
export function offerMessages(name, queued = 0) {
  user = name;
  starts = [''];
  byId('messages-part').hidden = !name;
  setText(byId('messages-count'), String(queued));
  setText(byId('messages-outcome'), '');
  show({ messages: [], queued });
  byId('no-messages').hidden = true;
}

function show({ messages, queued }) {
  last = messages.at(-1)?.id ?? '';
  setText(byId('messages-count'), String(queued));
  byId('messages').hidden = messages.length === 0;
  byId('no-messages').hidden = messages.length > 0;
  byId('messages-first').hidden = starts.length === 1;
  byId('messages-next').hidden = messages.length < PAGE;
  renew(byId('messages'), messages.map(item));
}

function item({ id, type, data, time }) {
  return element('li', { 'data-key': id },
    element('div', {},
      element('p', { class: 'id' }, element('code', {}, id), type !== 'message' && element('span', { class: 'badge plain' }, asText(type, 64))),
      element('p', {}, asText(data, 300)),
      element('p', { class: 'muted small' }, 'pushed ', timeElement(time)),
    ),
    element('button', { type: 'button', class: 'link', 'aria-label': `Retract ${id}`, 'data-key': id, onclick: () => retract(id) }, 'Retract'),
  );
}

async function peek() {
  const whose = user;
  const answer = await ask('GET', '/mailbox', { query: { user, limit: PAGE, after: starts.at(-1) } });
  if (whose === user) show(answer);
}

function retract(id) {
  attempt(byId('messages-outcome'), async () => {
    if (!(await confirmed('Retract this message?', `Clients of ${user} that do not have ${id} yet will not get it.`, 'Retract'))) return '';
    const { retracted } = await ask('DELETE', '/mailbox', { query: { user, id } });
    await peek();
    byId('messages-title').focus();
    return retracted ? 'The message was retracted.' : 'It was not there any more, or every client has it.';
  });
}

const look = () => attempt(byId('messages-outcome'), peek);

byId('peek').addEventListener('click', () => {
  starts = [''];
  look();
});
byId('messages-first').addEventListener('click', () => {
  starts = [''];
  look();
});
byId('messages-next').addEventListener('click', () => {
  starts.push(last);
  look();
});
