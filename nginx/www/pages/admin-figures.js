// SPDX-License-Identifier: MIT
//
// Some figures of /metrics as small charts.

import { drawing, element, setText } from './dom.js';
import { ask } from './server.js';

// Milliseconds between two looks, and the number of looks that a chart shows: two minutes.
const EVERY = 2000;
const SHOWN = 60;
// In a chart's own units; the chart is stretched to its place.
const HEIGHT = 40;

/** By name, the sum of all series of a metric (text format 0.0.4). */
function sums(text) {
  const totals = new Map();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([A-Za-z_:][\w:]*)(?:\{.*\})? ([^ ]+)/.exec(line) ?? [];
    if (name) totals.set(name, (totals.get(name) ?? 0) + Number(value));
  }
  return totals;
}

const of = (totals, name) => totals.get(name) ?? 0;
const both = ({ poll, push }, name) => of(poll, name) + of(push, name);

// One program may serve both faces, and says the same at each: then its figures count once.
const isApart = push => push.includes('program="letterbox-push"');

/** By how much a counter has grown; null if its program was restarted in between. */
const grown = (now, before) => (before !== undefined && now >= before ? now - before : null);

const perSecond = counter => (now, before, seconds) => {
  const more = before && grown(counter(now), counter(before));
  return more === null || more === undefined ? null : more / seconds;
};

const REDIS = 'letterbox_redis_command_duration_seconds';

/** The charts: a title, a unit, the number of decimals, and the value from two looks. */
const FIGURES = [
  { title: 'Parked polls and streams', unit: '', digits: 0, value: now => of(now.poll, 'letterbox_polls_parked') },
  { title: 'Of these, streams', unit: '', digits: 0, value: now => of(now.poll, 'letterbox_streams') },
  { title: 'Messages pushed', unit: 'a second', digits: 1, value: perSecond(now => both(now, 'letterbox_pushed_messages_total')) },
  { title: 'Messages delivered', unit: 'a second', digits: 1, value: perSecond(now => of(now.poll, 'letterbox_delivered_messages_total')) },
  {
    title: 'Time of a Redis command',
    unit: 'ms',
    digits: 2,
    value(now, before) {
      const time = before && grown(both(now, `${REDIS}_sum`), both(before, `${REDIS}_sum`));
      const count = before && grown(both(now, `${REDIS}_count`), both(before, `${REDIS}_count`));
      return count ? (time / count) * 1000 : null;
    },
  },
  { title: 'Memory of Letterbox', unit: 'MB', digits: 1, value: now => both(now, 'process_resident_memory_bytes') / 1e6 },
];

class Figure {
  #figure;
  #values = [];
  #number = element('span', {}, '–');
  #chart = drawing('svg', { viewBox: `0 0 ${SHOWN - 1} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });

  constructor(figure) {
    this.#figure = figure;
    const unit = figure.unit && element('small', {}, ` ${figure.unit}`);
    this.node = element('figure', { class: 'figure', 'data-figure': figure.title }, element('figcaption', {}, figure.title), element('p', { class: 'value' }, this.#number, unit || null), this.#chart);
    this.#draw();
  }

  add(now, before, seconds) {
    this.#values.push(this.#figure.value(now, before, seconds));
    if (this.#values.length > SHOWN) this.#values.shift();
    this.#draw();
  }

  #written(value) {
    return value === null || value === undefined ? '–' : value.toLocaleString('en', { minimumFractionDigits: this.#figure.digits, maximumFractionDigits: this.#figure.digits });
  }

  #draw() {
    const { title, unit } = this.#figure;
    const known = this.#values.filter(value => value !== null);
    const most = Math.max(...known, 0);
    const x = index => SHOWN - this.#values.length + index;
    const y = value => HEIGHT - 2 - (most ? value / most : 0) * (HEIGHT - 6);
    let line = '';
    let area = '';
    this.#values.forEach((value, index) => {
      if (value === null) return;
      const begins = index === 0 || this.#values[index - 1] === null;
      const ends = index === this.#values.length - 1 || this.#values[index + 1] === null;
      line += `${begins ? 'M' : 'L'}${x(index)} ${y(value).toFixed(2)}`;
      area += `${begins ? `M${x(index)} ${HEIGHT}L` : 'L'}${x(index)} ${y(value).toFixed(2)}${ends ? `L${x(index)} ${HEIGHT}Z` : ''}`;
    });
    this.#chart.replaceChildren(drawing('path', { class: 'spark-area', d: area }), drawing('path', { class: 'spark', d: line }));
    const last = this.#written(this.#values.at(-1));
    setText(this.#number, last);
    this.#chart.setAttribute('aria-label', known.length ? `${title}: now ${last} ${unit}, at most ${this.#written(most)} in the last two minutes` : `${title}: not known yet`);
  }
}

/** Fills the place with charts, and looks every two seconds while the page is visible; `told` does the look and shows its failure. */
export function showFigures(place, told) {
  const figures = FIGURES.map(figure => new Figure(figure));
  place.append(...figures.map(({ node }) => node));
  let before;
  const look = async () => {
    if (document.visibilityState === 'visible') {
      await told(async () => {
        const [push, poll] = await Promise.all([ask('GET', '/metrics'), ask('GET', '/metrics/poll')]);
        const now = { time: performance.now(), push: sums(isApart(push) ? push : ''), poll: sums(poll) };
        for (const figure of figures) figure.add(now, before, before && (now.time - before.time) / 1000);
        before = now;
      });
    }
    setTimeout(look, EVERY);
  };
  look();
}
