// SPDX-License-Identifier: MIT
//
// Pages of the stack's own site with nothing in them except the test's own markup, and the
// libraries that it loads from npm.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Person } from '../pages/browser.mjs';
import { record } from '../streams/record.mjs';

const packageFile = name => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));

export const HTMX = ['htmx.org/dist/htmx.js', 'htmx-ext-sse/sse.js'].map(packageFile);
export const TURBO = [packageFile('@hotwired/turbo/dist/turbo.es2017-umd.js')];

/** The module, as a script for a page: `fetchEventSource` is a global there. */
export async function fetchEventSourceScript() {
  const entry = packageFile('@microsoft/fetch-event-source/lib/esm/index.js');
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'iife', globalName: 'library', footer: { js: 'globalThis.fetchEventSource = library.fetchEventSource;' }, write: false });
  return outputFiles[0].text;
}

/** A person whose requests may fail as the server is struck. */
export async function visitor(stack, options = {}) {
  const person = await Person.named(null, options, stack);
  person.tolerate(/^console: .*(net::ERR_|status of|EventSource's response)/);
  person.tolerate(/^console: \[object Event\]/); // htmx says so that a stream was cut
  return person;
}

/** A page of the site, with this body and, before it, these scripts (a file's path, or text). */
export async function pageWith(person, body = '', scripts = []) {
  const page = await person.context.newPage();
  const files = await Promise.all([`globalThis.record = ${record};`, ...scripts].map(given => (path.isAbsolute(given) ? readFile(given, 'utf8') : given)));
  const tags = files.map((_, n) => `<script src="/test/${n}.js"></script>`).join('');
  await page.route('**/test/*', route => {
    const script = /(\d+)\.js$/.exec(route.request().url());
    return script ? route.fulfill({ contentType: 'text/javascript', body: files[script[1]] })
      : route.fulfill({ contentType: 'text/html', body: `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">${tags}${body}` });
  });
  await page.goto(`${person.where.url}/test/page`);
  await page.unroute('**/test/*'); // from now on its requests go to the stack
  return page;
}

/** Opens a stream by the page's own EventSource; `types` are those to listen for in addition to `message`. */
export async function openIn(page, url, { types = [], ...options } = {}) {
  const heard = await page.evaluateHandle(([at, named, given]) => {
    const source = new EventSource(at, given);
    return { source, heard: globalThis.record(source, named) };
  }, [url, types, options]);
  return {
    look: () => heard.evaluate(({ heard: { events, opens, cuts, state } }) => ({ events, opens, cuts, state })),
    close: () => heard.evaluate(({ source }) => source.close()),
  };
}
