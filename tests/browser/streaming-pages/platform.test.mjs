// SPDX-License-Identifier: MIT

import { house, test } from '../pages/browser.mjs';
import { platform } from '../streams/platform.mjs';
import { openIn, pageWith, visitor } from './pages.mjs';

const home = house({ LETTERBOX_DEMO: '0' });

let page;

platform({
  house: home,
  streamUrl: (stack, query) => `${stack.url}/events?${new URLSearchParams(query)}`,
  // Each test has a page of its own: a browser has six connections to a site.
  async open(url, options) {
    page ??= await pageWith(await visitor(home.stack));
    return openIn(page, url, options);
  },
  test: (claim, work) => test(claim, async context => {
    page = undefined;
    await work(context);
  }),
});
