// SPDX-License-Identifier: MIT
//
// People at their browsers. A person is a browser profile of its own (cookies, storage,
// tabs that share them); errors in any of its pages are noted, and fail the test.

import assert from 'node:assert/strict';
import { after, before, test as nodeTest } from 'node:test';
import { chromium } from 'playwright-core';
import { DEADLINE, eventually, Stack, stopAll } from './stack.mjs';

export { eventually };

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

let browser;
let stack;
let people = [];

/** Has a stack and a browser for all tests of a file. */
export function house(settings) {
  before(async () => {
    stack = await Stack.start(settings);
    // At a signal the process ends as usual, and takes the browser along.
    const signals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
    browser = await chromium.launch({ executablePath: process.env.LETTERBOX_CHROMIUM || '/usr/bin/chromium', args: FLAGS, ...signals });
  }, { timeout: 3 * DEADLINE });
  after(async () => {
    await browser?.close();
    await stopAll();
  }, { timeout: 3 * DEADLINE });
  return { get stack() { return stack; } };
}

/** A test with people in it: they leave when it ends, and nothing may have gone wrong for any of them. */
export function test(claim, work) {
  nodeTest(claim, { timeout: 5 * DEADLINE }, async context => {
    try {
      await work(context);
      for (const person of people) await person.assertWell();
    } finally {
      const all = people;
      people = [];
      await Promise.all(all.map(person => person.context.close()));
    }
  });
}

export class Person {
  /** The faults of any page: errors, requests to elsewhere, breaches of the policy. */
  wrong = [];
  /** No page of Letterbox's opens a dialog. A test that opens one itself answers it. */
  answerDialogs = true;
  /** A test that takes the server or the network away expects requests that fail. */
  #tolerated = [];

  static async named(name, options = {}, where = stack) {
    const person = new Person();
    person.name = name;
    person.where = where;
    person.context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    person.context.setDefaultTimeout(DEADLINE);
    people.push(person);
    await person.context.addInitScript(([given]) => {
      if (location.protocol !== 'http:') return; // about:blank, before a tab is anywhere
      if (given && localStorage.getItem('letterbox.name') === null) localStorage.setItem('letterbox.name', JSON.stringify(given));
      globalThis.breaches = [];
      addEventListener('securitypolicyviolation', event => globalThis.breaches.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
    }, [name]);
    person.context.on('page', page => person.#watch(page));
    return person;
  }

  #watch(page) {
    page.on('console', message => {
      if (message.type() === 'error') this.wrong.push(`console: ${message.text()} (${message.location().url})`);
    });
    page.on('pageerror', error => this.wrong.push(`error: ${error.stack}`));
    page.on('dialog', dialog => {
      if (!this.answerDialogs) return;
      this.wrong.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on('request', request => {
      if (!request.url().startsWith(`${this.where.url}/`)) this.wrong.push(`request to ${request.url()}`);
    });
  }

  /** Requests may fail in this test, in this way: the browser writes each failure into the console. */
  tolerate(pattern) {
    this.#tolerated.push(pattern);
  }

  /** A new tab, at a page such as /chat. */
  async open(path) {
    const page = await this.context.newPage();
    await page.goto(this.where.url + path);
    return page;
  }

  async assertWell() {
    for (const page of this.context.pages()) {
      const breaches = await page.evaluate(() => globalThis.breaches ?? []);
      assert.deepEqual(breaches, [], `breaches of the policy at ${page.url()}`);
    }
    const wrong = this.wrong.filter(line => !this.#tolerated.some(pattern => pattern.test(line)));
    assert.deepEqual(wrong, [], `what went wrong for ${this.name}`);
  }
}

/** The state of the connection, as the header of a page shows it. */
export const isConnected = page => page.locator('#state-word', { hasText: 'connected' }).waitFor();

/** Waits for an element with this text. */
export const sees = (page, selector, text) => page.locator(selector, { hasText: text }).first().waitFor();
