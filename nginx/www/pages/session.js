// SPDX-License-Identifier: MIT
//
// Who one is, and how the connection stands: the header that all pages have. A page calls
// `begin` with what it does with a Letterbox; it is called anew for each other name.

import { Letterbox } from '../letterbox.js';
import { byId, counted, element, setText, tell } from './dom.js';
import { keep } from './kept.js';

// Who comes and goes is news for the moment only.
const PASSING = new Set(['user.online', 'user.offline']);
// A poll that has stood for so long after a failure was taken; milliseconds. (Of a stream the first bytes say so.)
const TAKEN = 1500;

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
 * @param {(letterbox: Letterbox, name: string) => void} join gives it handlers, and shows what there is for this user
 * @param {{ place?: string, otherwise?: string }} [options] where the name is kept, and who one is where none is
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
    showConnection(letterbox);
    letterbox.on('message', message => {
      if (!PASSING.has(message.kind)) keep(name, message);
    });
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

/** The other pages are for the same person; Admin is for one of its own. */
function carryAlong(name) {
  for (const link of document.querySelectorAll('nav a:not([href="/admin"])')) link.search = new URLSearchParams({ user: name });
}

// --- how the connection stands -------------------------------------------------

/** `mood` chooses the dot: idle, good, trying or bad; `why` is for who points at it. */
function showState(mood, word, why = '') {
  byId('state').dataset.mood = mood;
  byId('state').title = why;
  setText(byId('state-word'), word);
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
    if (code === 'handler') return notice(`This page could not deal with a message: ${message}`);
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
    } }, 'Start again');
    notice(`Stopped: ${message} (${code}).`, again);
  });
  letterbox.on('missed', ({ count }) => notice(`${counted(count, 'message')} will not come any more: this page was away for too long.`));
  letterbox.on('reset', () => notice('The mailbox is a new one; what is shown of the old one stays until you reload.'));
}

// --- notices -------------------------------------------------------------------

/** Says something at the top of the page, until it is put away. */
function notice(text, action) {
  const line = element('div', { class: 'notice' }, element('p', {}, text));
  line.append(action ?? element('button', { type: 'button', class: 'quiet', onclick: () => line.remove() }, 'Put away'));
  byId('notices').replaceChildren(line);
}

function clearNotices() {
  byId('notices').replaceChildren();
}

/**
 * Runs what a press or a submit asks for, and shows in `where` what it gives, or why it was
 * refused: in the server's words.
 */
export async function attempt(where, work) {
  try {
    tell(where, (await work()) ?? '');
    return true;
  } catch (error) {
    tell(where, error.message, true);
    return false;
  }
}
