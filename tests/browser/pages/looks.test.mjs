// SPDX-License-Identifier: MIT
//
// How the pages look, and to whom: pictures for a person to look at, and axe's opinion.

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { eventually, house, isConnected, Person, sees, test } from './browser.mjs';
import { ROOT } from './stack.mjs';

const home = house();
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PICTURES = process.env.LETTERBOX_SCREENSHOTS || `${ROOT}build/screenshots`;
const WIDTHS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };

const PAGES = {
  start: {
    path: '/',
    async fill(page, name) {
      await home.stack.push(name, 'hello');
      await home.stack.push(name, { from: 'bob', subject: 'Lunch at noon?', attachments: 2 }, 'mail');
      await home.stack.push(name, 'The backup of last night went well: 41 GB in 12 minutes.', 'backup');
      await sees(page, '#arrived', 'went well');
      await page.locator('#text').fill("It's here: a quote, \"two\", and $HOME");
    },
  },
  chat: {
    path: '/chat',
    async fill(page, name) {
      for (const room of ['lobby', 'release']) {
        await page.locator('#room').fill(room);
        await page.locator('#join button').click();
        await sees(page, '#talk-title', room);
      }
      await page.locator('#rooms button', { hasText: 'lobby' }).click();
      for (const [from, room, text] of [['bob', 'lobby', 'Good morning! Is the new build out?'], ['carol', 'lobby', 'Since eight. It starts in half the time.'], ['bob', 'release', 'Notes are ready'], ['carol', 'release', 'Thanks, I have read them']]) {
        await home.stack.ask('PUT', `/groups/${room}/${from}`);
        await home.stack.push(`group:${room}`, { room, from, text, id: `${from}${text.length}` }, 'chat');
      }
      await sees(page, '#said', 'half the time');
      await page.locator('#compose textarea').fill('Then let us have a look together.\nTen minutes?');
      await page.locator('#compose textarea').press('Enter');
      await sees(page, '#said li.own', 'Ten minutes');
      await sees(page, '#rooms', '2 unread');
      await sees(page, `[data-user="${name}"][data-online="true"]`, name);
    },
  },
  mail: {
    path: '/mail',
    async fill(page, name) {
      for (const [mail, from, subject] of [['1', 'Ada', 'Minutes of Tuesday'], ['2', 'Grace', 'Your order is on its way'], ['3', 'Radia', 'Re: the draft']]) await home.stack.push(name, { mail, from, subject }, '70');
      await home.stack.push(name, { mail: '1' }, '71');
      await home.stack.push(name, { percent: 93 }, '72');
      await home.stack.push(name, { title: 'Stand-up', at: '9:30' }, '73');
      await sees(page, '#event', 'Stand-up');
      await sees(page, '.timeline', 'streaming');
    },
  },
  admin: {
    path: '/admin',
    async fill(page) {
      await sees(page, '#rows', 'admin');
      await page.locator('#rows button', { hasText: 'admin' }).first().click();
      await sees(page, '#facts', 'welcome');
      const pushed = page.locator('[data-figure="Messages pushed"] svg');
      await eventually('the charts have a line', async () => (await pushed.locator('.spark').getAttribute('d')).includes('L'));
    },
  },
  work: {
    path: '/work?after=500&every=1000',
    async fill(page, name) {
      const say = data => home.stack.push(name, { job: 'web-1', command: 'the report', ...data }, 'job');
      await say({ state: 'started' });
      await say({ state: 'done', status: 0, signal: null, ms: 90_123, tail: ['page 89 of 90, 98%', 'page 90 of 90, 100%', 'the report is ready: 90 pages'] });
      await home.stack.push(name, { job: 'web-2', command: 'the report', state: 'done', status: 75, signal: null, ms: 12, tail: ['busy: ten jobs run already, try again later'] }, 'job');
      await home.stack.push(name, { job: 'web-3', command: 'make report', state: 'progress', line: 'page 38 of 90, 42%', percent: 42 }, 'job');
      await sees(page, '#jobs', 'page 38 of 90');
    },
  },
};

for (const [title, { path, fill }] of Object.entries(PAGES)) {
  for (const colorScheme of ['light', 'dark']) {
    for (const [device, viewport] of Object.entries(WIDTHS)) {
      test(`${title}, ${colorScheme}, on a ${device}: nothing stands over the edge, and axe finds nothing`, async () => {
        const name = `${title}-${colorScheme}-${device}`;
        // axe brings a script of its own, which the pages' policy would not let in.
        const person = await Person.named(name, { viewport, colorScheme, bypassCSP: true, reducedMotion: 'reduce' });
        const page = await person.open(path);
        await isConnected(page);
        await fill(page, name);
        const [wide, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
        await mkdir(PICTURES, { recursive: true });
        await page.screenshot({ path: `${PICTURES}/${title}-${colorScheme}-${viewport.width}.png`, fullPage: true });
        assert.ok(wide <= shown, `${wide} px wide, where ${shown} are shown`);
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`), []);
      });
    }
  }
}
