// SPDX-License-Identifier: MIT
//
// A list of what has arrived, newest first: on the pages Start and Login.

import { asText, byId, element, timeElement, trim } from './dom.js';
import { forget, kept } from './kept.js';

const SHOWN = 200;

/** The list of the page, with its Clear button; `changed` hears the newest message, or null. */
export class Messages {
  #list = byId('arrived');
  #changed;
  #whose = '';

  constructor(changed = () => {}) {
    this.#changed = changed;
    byId('forget').addEventListener('click', () => {
      forget(this.#whose);
      this.showAll(this.#whose);
    });
  }

  /** Shows what this browser has kept for a user, and nothing else. */
  showAll(user) {
    this.#whose = user;
    const old = user ? kept(user).slice(-SHOWN) : [];
    this.#list.replaceChildren(...old.map(item).reverse());
    this.#look(old.at(-1) ?? null);
  }

  add(message) {
    this.#list.prepend(item(message));
    trim(this.#list, SHOWN);
    this.#look(message);
  }

  #look(newest) {
    const any = this.#list.childElementCount > 0;
    byId('nothing').hidden = any;
    this.#list.hidden = byId('forget').hidden = !any;
    this.#changed(newest);
  }
}

function item({ id, kind, data, time }) {
  return element('li', {},
    element('p', { class: 'about' }, element('span', { class: 'badge' }, asText(kind, 64)), timeElement(time), element('span', {}, id)),
    element('p', { class: 'said' }, asText(data)),
  );
}
