// SPDX-License-Identifier: MIT
//
// The page Long work. A press pushes a message of type `start` to the mailbox `jobs`,
// whose worker (scripts/demo-jobs) runs the job by scripts/run-job. That pushes messages of
// type `job` to this user's mailbox. Meanwhile the page keeps the session alive.

import { busy } from '../letterbox.js';
import { asText, byId, clock, copyable, duration, element, renew, setText, timeElement } from './dom.js';
import { kept } from './kept.js';
import { push, quoted } from './server.js';
import { attempt, begin, stored } from './session.js';

const SHOWN = 20;
const BEATS = 30;
// Milliseconds: after a reload the page waits no more for a job that was silent this long.
const SILENCE = 180_000;

// ?after=1000&every=1000 makes the heartbeats come sooner: milliseconds.
const query = new URLSearchParams(location.search);
const milliseconds = name => Math.max(200, Number(query.get(name)) || 20_000);
const pace = { after: milliseconds('after'), every: milliseconds('every') };

const jobLine = copyable('runs a command and pushes its progress');
let desk;

/** The jobs of one user. */
class Desk {
  #name;
  #letterbox;
  /** By id: {asked, seconds, state, line, percent, status, signal, ms, tail, time, done}. */
  #jobs = new Map();
  /** By id, the callback for when a job is done, or the user stops waiting. */
  #waiting = new Map();
  /** Ids of jobs that are not to be shown again. */
  #forgotten;

  constructor(letterbox, name) {
    this.#letterbox = letterbox;
    this.#name = name;
    this.#forgotten = new Set(stored.get(`${this.#place} forgotten`, []));
    for (const { job, seconds, time } of this.#asked()) this.#jobs.set(job, { seconds, state: 'asked', time });
    for (const message of kept(name, 'job')) this.#take(message);
    for (const [id, { state, time }] of this.#jobs) if (state !== 'done' && Date.now() - time < SILENCE) this.#keepAlive(this.#end(id));
    this.#show();
  }

  close() {
    for (const ended of this.#waiting.values()) ended();
  }

  get #place() {
    return `letterbox.jobs ${this.#name}`;
  }

  /** The jobs that this browser has asked for. */
  #asked() {
    const asked = stored.get(this.#place, []);
    return Array.isArray(asked) ? asked.filter(({ job }) => typeof job === 'string') : [];
  }

  #ask(job, seconds) {
    stored.set(this.#place, [...this.#asked(), { job, seconds, time: Date.now() }].slice(-SHOWN));
    this.#jobs.set(job, { seconds, state: 'asked', time: Date.now() });
    this.#show();
  }

  #unask(job) {
    stored.set(this.#place, this.#asked().filter(asked => asked.job !== job));
    this.#jobs.delete(job);
    this.#show();
  }

  /** Starts a job, and returns when it is done. */
  start(seconds) {
    const job = `web-${Date.now().toString(36)}-${Math.floor(Math.random() * 1e9).toString(36)}`;
    const run = async () => {
      const ended = this.#end(job);
      this.#ask(job, seconds);
      try {
        await push({ to: 'jobs', type: 'start', json: { user: this.#name, job, seconds } });
      } catch (error) {
        this.#unask(job);
        throw error;
      }
      await ended;
    };
    return this.#keepAlive(run());
  }

  #end(job) {
    return new Promise(resolve => this.#waiting.set(job, resolve));
  }

  #keepAlive(work) {
    return this.#letterbox.keepAlive(work, { ...pace, onBeat: showBeat });
  }

  #take({ data, time }) {
    if (typeof data?.job !== 'string' || !['started', 'progress', 'done'].includes(data.state)) return null;
    if (this.#forgotten.has(data.job)) return null;
    const before = this.#jobs.get(data.job) ?? {};
    if (before.state === 'done') return null;
    this.#jobs.set(data.job, { ...before, ...data, percent: data.percent ?? before.percent, line: data.line ?? before.line, time });
    while (this.#jobs.size > SHOWN) this.#jobs.delete(this.#jobs.keys().next().value);
    return this.#jobs.get(data.job);
  }

  arrived(message) {
    const job = this.#take(message);
    if (!job) return;
    this.#show();
    if (job.state === 'started') setText(byId('news'), 'The job has started.');
    if (job.state !== 'done') return;
    setText(byId('news'), `The job is done: ${result(job)}`);
    this.#letGo(message.data.job);
  }

  #letGo(job) {
    this.#waiting.get(job)?.();
    this.#waiting.delete(job);
    this.#show();
  }

  forgetDone() {
    for (const [id, { state }] of [...this.#jobs]) {
      if (state !== 'done') continue;
      this.#forgotten.add(id);
      this.#unask(id);
    }
    stored.set(`${this.#place} forgotten`, [...this.#forgotten].slice(-100));
  }

  #show() {
    const nodes = [...this.#jobs].reverse().map(([id, job]) => this.#card(id, job));
    renew(byId('jobs'), nodes);
    byId('nothing').hidden = nodes.length > 0;
    byId('forget').hidden = ![...this.#jobs.values()].some(({ state }) => state === 'done');
  }

  #card(id, job) {
    const { state, command, seconds, line, percent, tail, time } = job;
    const title = `${asText(command ?? 'a report', 200)}${seconds ? `, ${seconds} s` : ''}`;
    const known = typeof percent === 'number' ? Math.min(100, Math.max(0, percent)) : undefined;
    const bar = element('progress', { max: 100, value: state === 'done' ? 100 : known ?? (state === 'asked' ? 0 : undefined), 'aria-label': `Progress of ${title}` });
    const lines = state === 'done' && Array.isArray(tail) ? tail.slice(-20).map(text => asText(text, 500)).join('\n') : '';
    const stop = state !== 'done' && this.#waiting.has(id) && element('button', { type: 'button', class: 'link', 'data-key': id, onclick: () => this.#letGo(id) }, 'Stop waiting');
    return element('article', { class: 'job', 'data-job': id, 'data-key': id, 'data-state': state, 'aria-label': title },
      element('div', { class: 'line' }, element('h3', {}, title), badge(job), timeElement(time)),
      state === 'done' && !succeeded(job) ? null : bar,
      element('p', { class: 'muted small' }, state === 'done' ? result(job) : progress(job, line)),
      lines && element('pre', { class: 'output', tabindex: '0', role: 'group', 'aria-label': 'The last lines of its output' }, lines),
      stop,
    );
  }
}

const succeeded = ({ status }) => status === 0;

function badge(job) {
  if (job.state !== 'done') return element('span', { class: 'badge' }, { asked: 'queued', started: 'started', progress: 'running' }[job.state]);
  return succeeded(job) ? element('span', { class: 'badge strong' }, 'done') : element('span', { class: 'badge bad' }, 'failed');
}

function progress({ state }, line) {
  if (state === 'asked') return 'Waiting for a worker. Is scripts/demo-jobs running? scripts/run starts it.';
  return line ? asText(line, 400) : 'It is running.';
}

function result({ status, signal, ms }) {
  const time = typeof ms === 'number' ? ` after ${duration(ms)}` : '';
  if (signal) return `ended by signal ${asText(signal, 20)}${time}`;
  return status === 0 ? `succeeded${time}` : `exit status ${asText(status, 20)}${time}`;
}

function showBeat(answer) {
  const failed = answer instanceof Error;
  byId('no-beat').hidden = true;
  byId('beats').append(element('li', { class: failed ? 'badge bad' : 'badge', title: failed ? answer.message : '' }, `${clock(failed ? Date.now() : answer.time)}${failed ? ' failed' : ''}`));
  while (byId('beats').childElementCount > BEATS) byId('beats').firstElementChild.remove();
}

// --- the form ---------------------------------------------------------------------

busy(byId('start'), () =>
  attempt(byId('started'), async () => {
    if (!desk) throw new Error('Enter your name above first.');
    const seconds = Number(byId('seconds').value);
    if (!(Number.isInteger(seconds) && seconds >= 1 && seconds <= 120)) throw new Error('Enter a whole number of seconds, from 1 to 120.');
    setText(byId('started'), 'Running. The button works again when the job is done.');
    await desk.start(seconds);
  }),
);
byId('forget').addEventListener('click', () => desk?.forgetDone());
byId('job-line').append(jobLine.node);
setText(byId('after'), `${pace.after / 1000} s`);
setText(byId('every'), `${pace.every / 1000} s`);
jobLine.show('scripts/run-job alice -- make report');

begin((letterbox, name) => {
  desk?.close();
  const mine = (desk = new Desk(letterbox, name));
  jobLine.show(`scripts/run-job ${quoted(name)} -- make report`);
  letterbox.on('job', message => mine.arrived(message));
});
