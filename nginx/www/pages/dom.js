// SPDX-License-Identifier: MIT
//
// Building what a page shows. Text goes in as text and nowhere else, whoever wrote it:
// there is no way in here by which it could become markup.

const SVG = 'http://www.w3.org/2000/svg';

/** The element with this id: it stands in the page's file, so it is there. */
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

/** Sets an element's text only where it is another: screen readers and selections are left in peace. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Says the outcome of something beside it. `bad`: it has failed. */
export function tell(node, text, bad = false) {
  node.classList.toggle('bad', bad);
  setText(node, text);
}

/** Data of any kind as text, for people; of a huge one the beginning. */
export function asText(data, most = 2000) {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return text.length > most ? `${text.slice(0, most)}… (${text.length.toLocaleString('en')} characters)` : text;
}

/** A time of day; `ms` since 1970, or whatever a message may say instead of it. */
export function clock(ms) {
  const date = new Date(Number(ms));
  return Number.isNaN(date.getTime()) ? '' : date.toLocaleTimeString('en-GB');
}

export function timeElement(ms) {
  const date = new Date(Number(ms));
  if (Number.isNaN(date.getTime())) return element('time');
  return element('time', { datetime: date.toISOString(), title: date.toLocaleString('en-GB') }, clock(ms));
}

/** A number with its noun: 1 message, 2 messages. */
export const counted = (count, noun) => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;

/** Seconds for people: 4.2 s, 3 min. */
export function duration(ms) {
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/**
 * Gives a list these children. Those that are as they were stay; one with the `data-key` of
 * the one before it becomes it, part by part, so that nothing is replaced under a finger.
 * The focus stays with its key.
 */
export function renew(list, nodes) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const old = [...list.children];
  nodes.forEach((node, index) => {
    const before = old[index];
    if (!before) list.append(node);
    else if (before.isEqualNode(node)) return;
    else if (node.dataset.key !== undefined && node.dataset.key === before.dataset.key) become(before, node);
    else before.replaceWith(node);
  });
  trim(list, nodes.length);
  if (focused === undefined || list.contains(document.activeElement)) return;
  [...list.querySelectorAll('button[data-key]')].find(button => button.dataset.key === focused)?.focus();
}

/** Both have elements in them, or the same text. */
function become(old, node) {
  for (const { name } of [...old.attributes]) if (!node.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of node.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  renew(old, [...node.children]);
}

/** Removes children from the end of a list that is too long. */
export function trim(list, most) {
  while (list.childElementCount > most) list.lastElementChild.remove();
}

/**
 * A command to copy. `command.show(line)` replaces it.
 * @param {string} label what it does, for who hears the button alone
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
    // Not a secure context, or not allowed: selected, it is one key away.
    getSelection().selectAllChildren(code);
    return false;
  }
}
