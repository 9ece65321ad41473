// SPDX-License-Identifier: MIT

/**
 * Writes down what an EventSource hears, under node and, by its text, in pages: every event with its type,
 * how often it was opened and cut, and when (milliseconds).
 */
export function record(source, types = []) {
  const heard = { events: [], opens: [], cuts: [], get state() { return source.readyState; } };
  const own = ['missed', 'reset', 'end'].map(name => `letterbox.${name}`);
  for (const type of new Set(['message', ...own, ...types])) {
    source.addEventListener(type, ({ data, lastEventId: id }) => {
      if (data !== undefined) heard.events.push({ type, id, data });
    });
  }
  // (A message may also have type `open` or `error`: it has data.)
  const note = list => event => { if (!('data' in event)) list.push(performance.now()); };
  source.addEventListener('open', note(heard.opens));
  source.addEventListener('error', note(heard.cuts));
  return heard;
}

export const messagesOf = heard => heard.events.filter(({ type }) => !type.startsWith('letterbox.'));
export const ownOf = (heard, name) => heard.events.filter(({ type }) => type === `letterbox.${name}`).map(({ data }) => JSON.parse(data));

export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSED = 2;
