// SPDX-License-Identifier: MIT
//
// The life of a connection as a drawing: a stream and the messages that it brought, or parked
// polls and their answers; pauses and retries. It is made from the client's `state` events. The
// table has the same as text.

import { clock, drawing, duration, element, renew, setText } from './dom.js';

// Milliseconds that are shown; the most spans that are remembered, and the most rows of the table.
const WINDOW = 120_000;
const MOST = 600;
const ROWS = 12;

const HEIGHT = 92;
const TRACK = { top: 30, height: 26 };

const WORDS = {
  streaming: 'streaming',
  polling: 'poll parked',
  pause: 'pause',
  waiting: 'waiting to try again',
  following: 'another tab is connected',
  offline: 'offline',
  closed: 'stopped',
};
const ANSWERS = { messages: 'answered: messages', timeout: 'answered: no message came' };
const ENDS = { timeout: 'ended: its time was up' };

/** The answer of a poll, or the end of a stream, in words. */
const saidOf = (what, reason) => (what === 'streaming' ? ENDS[reason] ?? `ended: ${reason}` : ANSWERS[reason] ?? `answered: ${reason}`);

export class Timeline {
  #holder;
  #details;
  #table;
  /** {key, what, begin, end, answer, brought: when a stream brought messages}; the last one goes on. */
  #spans = [];
  #count = 0;

  /** `table` is the body of the table in `details`. */
  constructor(holder, legend, details, table) {
    this.#holder = holder;
    this.#details = details;
    this.#table = table;
    details.addEventListener('toggle', () => this.#showTable());
    legend.replaceChildren(
      ...Object.entries({ streaming: WORDS.streaming, polling: WORDS.polling, pause: WORDS.pause, waiting: WORDS.waiting, closed: 'offline or stopped', following: WORDS.following }).map(([what, word]) =>
        element('li', {}, drawing('svg', { viewBox: '0 0 14 14', 'aria-hidden': 'true' }, drawing('rect', { class: what, y: 1, width: 14, height: 12, rx: 3 })), word),
      ),
      ...Object.entries({ messages: 'messages', timeout: 'another answer, or an end' }).map(([reason, word]) =>
        element('li', {}, drawing('svg', { viewBox: '0 0 14 14', 'aria-hidden': 'true' }, drawing('circle', { class: `answer ${reason}`, cx: 7, cy: 7, r: 5 })), word),
      ),
    );
  }

  /** Begins again, for another user's connection. */
  clear() {
    this.#spans = [];
    this.#show();
  }

  /** Takes a `state` event of the client. */
  record({ state, reason }) {
    const last = this.#spans.at(-1);
    if (state === 'answered') {
      if (last?.what === 'streaming' && reason === 'messages') last.brought.push(Date.now());
      else if (last) last.answer = reason;
      return this.#show();
    }
    // After an answer it is a pause; without one the poll has failed.
    const what = state === 'waiting' && last?.answer ? 'pause' : state;
    if (!(what in WORDS) || (last?.what === what && !last.answer)) return;
    const now = Date.now();
    if (last) last.end = now;
    this.#spans.push({ key: ++this.#count, what, begin: now, brought: [] });
    if (this.#spans.length > MOST) this.#spans.shift();
    this.#show();
  }

  /** Something has happened: the drawing and the table say so. (The drawing moves on by itself.) */
  #show() {
    this.draw();
    this.#showTable();
  }

  /** While nobody sees the table, nothing is built; rows that are as they were stay. */
  #showTable() {
    if (this.#details.open) renew(this.#table, this.#spans.slice(-ROWS).reverse().map(span => this.#row(span)));
  }

  /** Keeps the drawing, and the present state in words beside it, up to date while they can be seen. */
  keepDrawing(word) {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    setInterval(() => {
      if (document.visibilityState !== 'visible') return;
      this.draw();
      setText(word, this.now);
    }, calm ? 2000 : 500);
  }

  /** The present state, in words. */
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
    const svg = drawing('svg', { class: 'timeline', viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-label': 'The connection as a drawing; the table below has the same as text.' },
      drawing('rect', { class: 'track', y: TRACK.top, width, height: TRACK.height, rx: 6 }),
      ...[90, 60, 30].flatMap(seconds => this.#tick(x(now - seconds * 1000), `${seconds} s ago`)),
      ...this.#spans.flatMap(span => this.#span(span, x, now)),
      ...marks.filter(Boolean),
      drawing('text', { x: width, y: HEIGHT - 10, 'text-anchor': 'end' }, 'now'),
    );
    this.#holder.replaceChildren(svg);
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

  #row({ key, what, begin, end, answer, brought }) {
    const failed = what === 'polling' && end && !answer;
    const came = brought.length ? `, messages ${brought.length === 1 ? 'once' : `${brought.length} times`}` : '';
    const broken = what === 'streaming' && end && !answer ? ', connection lost' : '';
    const outcome = came + (answer ? `, ${saidOf(what, answer)}` : failed ? ', no answer' : broken);
    return element('tr', { 'data-key': key }, element('td', { class: 'number' }, clock(begin)), element('td', {}, (failed ? 'poll' : WORDS[what]) + outcome), element('td', { class: 'number' }, end ? duration(end - begin) : 'goes on'));
  }
}
