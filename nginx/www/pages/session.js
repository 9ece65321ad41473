// SPDX-License-Identifier: MIT
//
// The header of all pages: the user's name, and the state of the connection. A page calls
// `begin` with what it does with a Letterbox; that is called again for each other name.

import { Letterbox } from '../letterbox.js';
import { byId, counted, element, setText, tell } from './dom.js';
import { keep } from './kept.js';

// News of the moment: who comes online, and who leaves.
const PASSING = new Set(['user.online', 'user.offline']);
// Milliseconds: a poll that stands this long after a failure was accepted. (Of a stream the first bytes say so.)
const TAKEN = 1500;
// Milliseconds after a change until a screen reader hears the state, whatever it is by then.
const CALM = 1000;

/** What is kept in this browser; storage may be forbidden to a page. */
export const stored = {
  get(name, otherwise = null) {
    try {
      return JSON.parse(localStorage.getItem(name)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(name, JSON.stringify(value));
    } catch {
      // Then it is for as long as the page is open.
    }
  },
};

/**
 * @param {(letterbox: Letterbox, name: string) => void} join gives it handlers, and shows what this browser has kept
 * @param {{ place?: string, otherwise?: string }} [options] where the name is kept, and the name if none is kept
 */
export function begin(join, { place = 'letterbox.name', otherwise = '' } = {}) {
  const form = byId('who');
  const field = form.elements.namedItem('name');
  // ?user=bob is for this tab alone: a second person in the same browser, to try things out.
  const asked = new URLSearchParams(location.search);
  const forced = asked.get('user');
  // ?transport=poll has this tab poll, to see how that looks.
  const transport = asked.get('transport') ?? 'auto';
  const ofBrowser = () => {
    const name = stored.get(place);
    return typeof name === 'string' && name ? name : otherwise;
  };
  let letterbox;

  function become(name) {
    // Without a name there is nothing to show: as when the page was new.
    if (letterbox && !name) return location.reload();
    letterbox?.close();
    clearNotices();
    field.value = name;
    document.body.dataset.named = name ? 'yes' : 'no';
    if (!name) return showState('idle', 'no name yet');
    letterbox = new Letterbox({ user: name, transport });
    follow(letterbox, name);
    join(letterbox, name);
  }

  form.addEventListener('submit', event => {
    event.preventDefault();
    const name = field.value.trim() || otherwise;
    if (!forced) stored.set(place, name);
    become(name);
  });
  addEventListener('storage', event => {
    if (event.key === place && !forced && ofBrowser() !== field.value) become(ofBrowser());
  });
  if (forced) carryAlong(forced);
  become(forced ?? ofBrowser());
}

/** The other pages are for the same person; Login and Admin have a user of their own. */
function carryAlong(name) {
  for (const link of document.querySelectorAll('nav a:not([href="/login"], [href="/admin"])')) link.search = new URLSearchParams({ user: name });
}

// --- the state of the connection -------------------------------------------------

let announcement;

/** `mood` chooses the dot: idle, good, trying or bad; `why` is its tooltip. */
export function showState(mood, word, why = '') {
  byId('state').dataset.mood = mood;
  byId('state').title = why;
  setText(byId('state-word'), word);
  announcement ??= setTimeout(() => {
    announcement = undefined;
    setText(byId('state-said'), byId('state-word').textContent);
  }, CALM);
}

/** Keeps what arrives for this user in the browser, and shows the state of the connection. */
export function follow(letterbox, name) {
  showConnection(letterbox);
  letterbox.on('message', message => {
    if (!PASSING.has(message.kind)) keep(name, message);
  });
}

function showConnection(letterbox) {
  let troubled = false;
  let taken;
  const good = () => {
    troubled = false;
    showState('good', 'connected');
  };
  showState('trying', 'connecting');
  letterbox.on('state', ({ state }) => {
    clearTimeout(taken);
    if (state === 'offline') showState('bad', 'offline');
    else if (state === 'following' && !troubled) good();
    else if (state === 'answered') good();
    else if (state === 'polling' && troubled) taken = setTimeout(good, TAKEN);
  });
  letterbox.on('open', good);
  letterbox.on('error', ({ code, message, terminal }) => {
    if (terminal) return;
    if (code === 'handler') return notice(`A handler failed: ${message}`);
    troubled = true;
    showState('trying', 'trying again', message);
  });
  letterbox.on('close', ({ code, message }) => {
    clearTimeout(taken);
    if (code === 'closed') return;
    showState('bad', 'stopped');
    const again = element('button', { type: 'button', onclick: () => {
      clearNotices();
      showState('trying', 'connecting');
      letterbox.open();
    } }, 'Connect again');
    notice(`Stopped: ${message} (${code}).`, again);
  });
  letterbox.on('missed', ({ count }) => notice(`${counted(count, 'message')} ${count === 1 ? 'was' : 'were'} lost: this page was offline too long.`));
  letterbox.on('reset', () => notice('This is a new mailbox. Messages of the old one stay on this page until you reload it.'));
}

// --- notices -------------------------------------------------------------------

/** Says something at the top of the page, until it is dismissed. */
function notice(text, action) {
  const line = element('div', { class: 'notice' }, element('p', {}, text));
  line.append(action ?? element('button', { type: 'button', class: 'quiet', onclick: () => line.remove() }, 'Dismiss'));
  byId('notices').replaceChildren(line);
}

export function clearNotices() {
  byId('notices').replaceChildren();
}

/** Does the work of a press or a submit, and shows its result in `where`, or the server's words if it was refused. */
export async function attempt(where, work) {
  try {
    tell(where, (await work()) ?? '');
    return true;
  } catch (error) {
    tell(where, error.message, true);
    return false;
  }
}
