// SPDX-License-Identifier: MIT
//
// The page Admin: the groups, with their sizes.

import { asText, byId, counted, element, renew } from './dom.js';
import { ask } from './server.js';
import { attempt } from './session.js';

const PAGE = 50;

let after = '';
let following = null;

/** Looks which groups there are. `chosen` hears which one was pressed. */
export function lookAtGroups(chosen) {
  return attempt(byId('groups-outcome'), async () => {
    const { groups, next } = await ask('GET', '/groups', { query: { prefix: byId('group-prefix').value, after, limit: PAGE } });
    following = next;
    renew(byId('groups'), groups.map(({ group, size }) => item(group, size, chosen)));
    byId('groups').hidden = groups.length === 0;
    byId('no-groups').hidden = groups.length > 0;
    byId('groups-first').hidden = after === '';
    byId('groups-next').hidden = following === null;
  });
}

function item(group, size, chosen) {
  return element('li', { 'data-key': group },
    element('button', { type: 'button', class: 'link', 'data-key': group, onclick: () => chosen(group) }, asText(group, 64)),
    element('span', { class: 'muted small' }, counted(size, 'member')),
  );
}

/** Makes the search and the pages of the list work. */
export function leafThroughGroups(chosen) {
  const from = start => {
    after = start;
    lookAtGroups(chosen);
  };
  byId('group-filter').addEventListener('submit', event => event.preventDefault());
  byId('group-prefix').addEventListener('input', () => from(''));
  byId('groups-next').addEventListener('click', () => from(following ?? ''));
  byId('groups-first').addEventListener('click', () => from(''));
}
