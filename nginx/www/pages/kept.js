// SPDX-License-Identifier: MIT
//
// Messages that have arrived, kept in this browser so that a reload shows them. All pages of
// one origin and user share a poll, so each page keeps every message, also those for another
// page. Each message is one entry under its id: tabs that write at the same time write the same.

const PREFIX = 'letterbox.kept ';
// Bounds for the messages of all users together. Browsers give an origin some five million characters.
const MOST = 1000;
const MOST_CHARACTERS = 1_500_000;
const LONGEST = 100_000;
// The number of messages between two looks at the bounds.
const SLACK = 50;

let sinceLook = SLACK;

const keyOf = (user, id) => `${PREFIX}${user} ${id}`;

// Ids of one mailbox are in order: two numbers with a dash.
const byId = new Intl.Collator('en', { numeric: true }).compare;

export function keep(user, { id, kind, data, time }) {
  try {
    const text = JSON.stringify({ id, kind, data, time });
    if (text.length > LONGEST) return;
    localStorage.setItem(keyOf(user, id), text);
    if (++sinceLook > SLACK) dropOldest();
  } catch {
    // Storage is forbidden, or full: then a reload does not show this message.
  }
}

/** The kept messages of a user, oldest first: of these kinds, or of all if none is named. */
export function kept(user, ...kinds) {
  const begin = keyOf(user, '');
  return entries()
    .filter(({ key }) => key.startsWith(begin))
    .map(({ text }) => parsed(text))
    .filter(message => message && (kinds.length === 0 || kinds.includes(message.kind)))
    .sort((one, other) => byId(one.id, other.id));
}

export function forget(user) {
  const begin = keyOf(user, '');
  for (const { key } of entries()) if (key.startsWith(begin)) localStorage.removeItem(key);
}

function entries() {
  try {
    const keys = Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index));
    return keys.filter(key => key?.startsWith(PREFIX)).map(key => ({ key, text: localStorage.getItem(key) ?? '' }));
  } catch {
    return [];
  }
}

function parsed(text) {
  try {
    const message = JSON.parse(text);
    return typeof message?.id === 'string' && typeof message.kind === 'string' ? message : null;
  } catch {
    return null;
  }
}

function dropOldest() {
  sinceLook = 0;
  const all = entries().map(entry => ({ ...entry, time: Number(parsed(entry.text)?.time) || 0 }));
  all.sort((one, other) => other.time - one.time);
  let characters = 0;
  all.forEach(({ key, text }, index) => {
    characters += key.length + text.length;
    if (index >= MOST || characters > MOST_CHARACTERS) localStorage.removeItem(key);
  });
}
