// SPDX-License-Identifier: MIT
//
// The life of a connection, drawn: a stream and what it brought, or polls that were parked and
// answered; pauses, and what was tried again. Made from the client's `state` events; the same as a
// table, for who does not see it.

import { clock, drawing, duration, element, setText } from './dom.js';

// Milliseconds that are shown, and spans that are remembered at most.
const WINDOW = 120_000;
const MOST = 600;
const ROWS = 12;

const HEIGHT = 92;
const TRACK = { top: 30, height: 26 };

const WORDS = {
  streaming: 'streaming',
  polling: 'parked',
  pause: 'pause',
  waiting: 'waiting to try again',
  following: 'another tab is connected',
  offline: 'offline',
  closed: 'stopped',
};
const ANSWERS = { messages: 'answered: messages', timeout: 'answered: nothing came' };
const ENDS = { timeout: 'ended: its time was up' };

/** What came of a poll, or how a stream ended, in words. */
const saidOf = (what, reason) => (what === 'streaming' ? ENDS[reason] ?? `ended: ${reason}` : ANSWERS[reason] ?? `answered: ${reason}`);

export class Timeline {
  #holder;
  #table;
  /** {what, begin, end, answer, brought: when a stream brought messages}; the last one goes on. */
  #spans = [];

  constructor(holder, table, legend) {
    this.#holder = holder;
    this.#table = table;
    legend.replaceChildren(
      ...Object.entries({ streaming: WORDS.streaming, polling: WORDS.polling, pause: WORDS.pause, waiting: WORDS.waiting, closed: 'offline or stopped', following: WORDS.following }).map(([what, word]) =>
        element('li', {}, drawing('svg', { viewBox: '0 0 14 14', 'aria-hidden': 'true' }, drawing('rect', { class: what, y: 1, width: 14, height: 12, rx: 3 })), word),
      ),
      ...Object.entries({ messages: 'messages', timeout: 'answered, or ended: anything else' }).map(([reason, word]) =>
        element('li', {}, drawing('svg', { viewBox: '0 0 14 14', 'aria-hidden': 'true' }, drawing('circle', { class: `answer ${reason}`, cx: 7, cy: 7, r: 5 })), word),
      ),
    );
  }

  /** Another life begins: of another user's connection. */
  clear() {
    this.#spans = [];
    this.draw();
  }

  /** Takes an event of the client. */
  record({ state, reason }) {
    const last = this.#spans.at(-1);
    if (state === 'answered') {
      if (last?.what === 'streaming' && reason === 'messages') last.brought.push(Date.now());
      else if (last) last.answer = reason;
      return this.draw();
    }
    // After an answer it is a pause, after none a poll has failed.
    const what = state === 'waiting' && last?.answer ? 'pause' : state;
    if (!(what in WORDS) || (last?.what === what && !last.answer)) return;
    const now = Date.now();
    if (last) last.end = now;
    this.#spans.push({ what, begin: now, brought: [] });
    if (this.#spans.length > MOST) this.#spans.shift();
    this.draw();
  }

  /** What goes on now, in words. */
  get now() {
    const last = this.#spans.at(-1);
    return last ? `${WORDS[last.what]} for ${duration(Date.now() - last.begin)}` : '';
  }

  draw() {
    const width = Math.max(240, this.#holder.clientWidth);
    const now = Date.now();
    const x = time => width - ((now - time) / WINDOW) * width;
    this.#spans = this.#spans.filter(({ end }) => !end || end > now - WINDOW);
    const marks = this.#spans.flatMap(({ what, answer, end, begin, brought }) => [
      ...brought.filter(time => time > now - WINDOW).map(time => this.#answer(what, 'messages', x(time))),
      answer && this.#answer(what, answer, x(end ?? begin)),
    ]);
    const svg = drawing('svg', { class: 'timeline', viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-label': 'The life of the connection as a drawing; below it is a table.' },
      drawing('rect', { class: 'track', y: TRACK.top, width, height: TRACK.height, rx: 6 }),
      ...[90, 60, 30].flatMap(seconds => this.#tick(x(now - seconds * 1000), `${seconds} s ago`)),
      ...this.#spans.flatMap(span => this.#span(span, x, now)),
      ...marks.filter(Boolean),
      drawing('text', { x: width, y: HEIGHT - 10, 'text-anchor': 'end' }, 'now'),
    );
    this.#holder.replaceChildren(svg);
    this.#table.replaceChildren(...this.#spans.slice(-ROWS).reverse().map(span => this.#row(span, now)));
  }

  #tick(x, word) {
    return [
      drawing('line', { class: 'axis', x1: x, x2: x, y1: TRACK.top - 8, y2: TRACK.top + TRACK.height + 8 }),
      drawing('text', { x, y: HEIGHT - 10, 'text-anchor': 'middle' }, word),
    ];
  }

  #span({ what, begin, end }, x, now) {
    const left = Math.max(0, x(begin));
    const width = Math.max(1.5, x(end ?? now) - left - 1);
    const bar = drawing('rect', { class: what, x: left, y: TRACK.top + 3, width, height: TRACK.height - 6, rx: Math.min(4, width / 2) });
    bar.append(drawing('title', {}, `${WORDS[what]} for ${duration((end ?? now) - begin)}`));
    const word = `${WORDS[what]} ${duration((end ?? now) - begin)}`;
    if (width < word.length * 7) return [bar];
    return [bar, drawing('text', { class: 'inside', x: left + width / 2, y: TRACK.top + 17, 'text-anchor': 'middle' }, word)];
  }

  #answer(what, reason, x) {
    const mark = drawing('circle', { class: `answer ${reason === 'messages' ? 'messages' : 'other'}`, cx: x, cy: TRACK.top - 12, r: 5 });
    mark.append(drawing('title', {}, reason === 'messages' ? 'messages' : saidOf(what, reason)));
    return mark;
  }

  #row({ what, begin, end, answer, brought }, now) {
    const failed = what === 'polling' && end && !answer;
    const came = brought.length ? `, messages ${brought.length === 1 ? 'once' : `${brought.length} times`}` : '';
    const broken = what === 'streaming' && end && !answer ? ', broken off' : '';
    const outcome = came + (answer ? `, ${saidOf(what, answer)}` : failed ? ', no answer' : broken);
    return element('tr', {}, element('td', { class: 'number' }, clock(begin)), element('td', {}, (failed ? 'asked' : WORDS[what]) + outcome), element('td', { class: 'number' }, duration((end ?? now) - begin)));
  }
}

/** Keeps the drawing and the word beside it going while somebody can see them. */
export function keepDrawing(timeline, word) {
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  setInterval(() => {
    if (document.visibilityState !== 'visible') return;
    timeline.draw();
    setText(word, timeline.now);
  }, calm ? 2000 : 500);
}
