// SPDX-License-Identifier: MIT
//
// Building what a page shows. Text from anywhere goes in as text: nothing in here makes markup
// of it.

const SVG = 'http://www.w3.org/2000/svg';

/** The element with this id, which the page's file has. */
export const byId = id => document.getElementById(id);

/**
 * An element. `properties` are attributes, those that begin with `on` listeners; false,
 * null and undefined leave one out. Children are elements, or text.
 */
export function element(name, properties = {}, ...children) {
  return furnish(document.createElement(name), properties, children);
}

export function drawing(name, properties = {}, ...children) {
  return furnish(document.createElementNS(SVG, name), properties, children);
}

function furnish(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

/** Sets an element's text only if it differs: screen readers and selections are left in peace. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows an outcome. `bad`: it is a failure. */
export function tell(node, text, bad = false) {
  node.classList.toggle('bad', bad);
  setText(node, text);
}

/** Data of any kind as text for people; of long data only the beginning. */
export function asText(data, most = 2000) {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return text.length > most ? `${text.slice(0, most)}… (${text.length.toLocaleString('en')} characters)` : text;
}

/** A time of day; `ms` is milliseconds since 1970, or anything else that a message has there. */
export function clock(ms) {
  const date = new Date(Number(ms));
  return Number.isNaN(date.getTime()) ? '' : date.toLocaleTimeString('en-GB');
}

/** A time of day, and if it is not today the date before it. */
export function timeElement(ms) {
  const date = new Date(Number(ms));
  if (Number.isNaN(date.getTime())) return element('time');
  const day = date.toDateString() === new Date().toDateString() ? '' : `${date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })}, `;
  return element('time', { datetime: date.toISOString(), title: date.toLocaleString('en-GB') }, day + clock(ms));
}

/** A number with its noun: 1 message, 2 messages. */
export const counted = (count, noun) => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;

/** Seconds for people: 4.2 s, 3 min. */
export function duration(ms) {
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/**
 * Gives a list these children. A child with the `data-key` of a new one becomes that, part by
 * part, wherever it stands; one without a key becomes the new one at its place. What is as it
 * was stays untouched, so nothing is replaced under a finger. The focus stays with its key.
 */
export function renew(list, nodes) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const wanted = new Set(nodes.map(({ dataset }) => dataset.key));
  for (const old of [...list.children]) if (!wanted.has(old.dataset.key)) old.remove();
  const known = new Map([...list.children].filter(({ dataset }) => dataset.key !== undefined).map(old => [old.dataset.key, old]));
  let place = list.firstElementChild;
  for (const node of nodes) {
    const old = node.dataset.key === undefined ? place : known.get(node.dataset.key);
    if (!old) {
      list.insertBefore(node, place);
      continue;
    }
    if (old !== place) list.insertBefore(old, place);
    else place = place.nextElementSibling;
    if (old.isEqualNode(node)) continue;
    if (node.dataset.key === undefined) old.replaceWith(node);
    else become(old, node);
  }
  trim(list, nodes.length);
  if (focused === undefined || list.contains(document.activeElement)) return;
  [...list.querySelectorAll('button[data-key]')].find(button => button.dataset.key === focused)?.focus();
}

/** Makes an element like another, which has either elements or text in it. */
function become(old, node) {
  for (const { name } of [...old.attributes]) if (!node.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of node.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (node.childElementCount === 0) setText(old, node.textContent);
  else renew(old, [...node.children]);
}

/** Removes children from the end of a list that is too long. */
export function trim(list, most) {
  while (list.childElementCount > most) list.lastElementChild.remove();
}

/**
 * A command to copy. `command.show(line)` replaces it.
 * @param {string} label what it does, for a screen reader
 */
export function copyable(label) {
  const code = element('code', {});
  const button = element('button', { type: 'button', class: 'quiet', 'aria-label': `Copy: ${label}` }, 'Copy');
  const outcome = element('span', { class: 'visually-hidden', role: 'status' });
  button.addEventListener('click', async () => {
    const copied = await copy(code);
    setText(button, copied ? 'Copied' : 'Press Ctrl+C');
    setText(outcome, copied ? 'Copied' : 'Selected; press Control C');
    setTimeout(() => {
      setText(button, 'Copy');
      setText(outcome, '');
    }, 2000);
  });
  const node = element('div', { class: 'command' }, element('pre', { tabindex: '0', role: 'group', 'aria-label': label }, code), button, outcome);
  return { node, show: line => setText(code, line) };
}

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    // Not a secure context, or not allowed: the text is selected, so Ctrl+C copies it.
    getSelection().selectAllChildren(code);
    return false;
  }
}
