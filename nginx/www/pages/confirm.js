// SPDX-License-Identifier: MIT
//
// Asks before something that can't be undone, in a dialog of the page itself.

import { element } from './dom.js';

/**
 * Shows a question, and returns whether the answer was yes. Cancel has the focus at first;
 * Escape cancels. Afterwards the focus is where it was before.
 * @param {string} yes what the button says that does it, such as `Lock`
 */
export function confirmed(title, text, yes) {
  const dialog = element('dialog', { class: 'question', 'aria-labelledby': 'question-title', 'aria-describedby': 'question-text' },
    element('h2', { id: 'question-title' }, title),
    element('p', { id: 'question-text' }, text),
    element('div', { class: 'actions' },
      element('button', { type: 'button', class: 'quiet', autofocus: true, onclick: () => dialog.close() }, 'Cancel'),
      element('button', { type: 'button', class: 'danger', onclick: () => dialog.close('yes') }, yes),
    ),
  );
  return new Promise(resolve => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
