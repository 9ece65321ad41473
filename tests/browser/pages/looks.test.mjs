// SPDX-License-Identifier: MIT
//
// The looks of the pages: pictures for a person to look at, and the findings of axe.

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { eventually, house, isConnected, Person, sees, test } from './browser.mjs';
import { ROOT } from './stack.mjs';

const home = house();
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PICTURES = process.env.LETTERBOX_SCREENSHOTS || `${ROOT}build/screenshots`;
const WIDTHS = { 'small phone': { width: 320, height: 640 }, phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };

const PAGES = {
  start: {
    path: '/',
    async fill(page, name) {
      await home.stack.push(name, 'hello');
      await home.stack.push(name, { from: 'bob', subject: 'Lunch at noon?', attachments: 2 }, 'mail');
      await home.stack.push(name, 'The backup of last night went well: 41 GB in 12 minutes.', 'backup');
      await sees(page, '#arrived', 'went well');
      await page.locator('#text').fill("It's here: a quote, \"two\", and $HOME");
      await page.locator('#send .actions button').click();
      await sees(page, '#answer', '"waiting"');
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
      for (const [mail, from, subject] of [['1', 'Ada', 'Minutes of Tuesday'], ['2', 'Grace', 'Your order is on its way'], ['3', 'Radia', 'Re: the draft']]) await home.stack.push(name, { mail, from, subject }, 'mail.new');
      await home.stack.push(name, { mail: '1' }, 'mail.read');
      await home.stack.push(name, { percent: 93 }, 'mail.quota');
      await home.stack.push(name, { title: 'Stand-up', at: '9:30' }, 'calendar.next');
      await sees(page, '#event', 'Stand-up');
      await sees(page, '.timeline', 'streaming');
    },
  },
  admin: {
    path: '/admin',
    async fill(page, name) {
      await lookedUp(page, name);
      const pushed = page.locator('[data-figure="Messages pushed"] svg');
      await eventually('the charts have a line', async () => (await pushed.locator('.spark').getAttribute('d')).includes('L'));
    },
  },
  question: {
    path: '/admin',
    fullPage: false,
    async fill(page, name) {
      await lookedUp(page, name);
      await page.locator('#reason').fill('unpaid since October');
      await page.locator('#lock').click();
      await sees(page, 'dialog', `Lock ${name}?`);
    },
  },
  login: {
    path: '/login',
    async enter(page, name) {
      await sees(page, '#source', 'class BackEnd');
      await page.locator('#login-name').fill(name);
      await page.locator('#in button').click();
      await isConnected(page);
    },
    async fill(page, name) {
      await home.stack.push(name, 'The backup of last night went well: 41 GB in 12 minutes.', 'backup');
      await page.locator('#text').fill('Lunch at noon?');
      await page.locator('#send button').click();
      await sees(page, '#arrived', 'Lunch at noon?');
      await sees(page, '#sent', 'Delivered');
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

/** The page Admin with a user looked up, who has tokens. */
async function lookedUp(page, name) {
  await home.stack.ask('GET', `/poll?user=${name}&client=phone&timeout=0`);
  for (const client of [undefined, 'phone']) await home.stack.ask('POST', '/tokens', { json: { user: name, client, ttl: 3600 } });
  await page.locator('#rows button', { hasText: name }).first().click();
  await sees(page, '#facts', 'not locked');
  await sees(page, '#tokens', 'for phone');
}

for (const [title, { path, enter = isConnected, fill, fullPage = true }] of Object.entries(PAGES)) {
  for (const colorScheme of ['light', 'dark']) {
    for (const [device, viewport] of Object.entries(WIDTHS)) {
      test(`${title}, ${colorScheme}, on a ${device}: nothing overflows the edge, and axe finds nothing`, async () => {
        const name = `${title}-${colorScheme}-${viewport.width}`;
        // axe brings a script of its own, which the pages' policy would not let in.
        const person = await Person.named(name, { viewport, colorScheme, bypassCSP: true, reducedMotion: 'reduce' });
        const page = await person.open(path);
        await enter(page, name);
        await fill(page, name);
        const [wide, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
        await mkdir(PICTURES, { recursive: true });
        await page.screenshot({ path: `${PICTURES}/${title}-${colorScheme}-${viewport.width}.png`, fullPage });
        assert.ok(wide <= shown, `${wide} px wide, where ${shown} are shown`);
        const broken = await page.evaluate(() => [...document.querySelectorAll('nav a, [role="tab"], #state-word')].filter(({ childNodes: [text] }) => {
          const range = document.createRange();
          range.selectNodeContents(text);
          return range.getClientRects().length > 1;
        }).map(({ textContent }) => textContent));
        assert.deepEqual(broken, [], 'words of the header, and of tabs, that are broken');
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`), []);
      });
    }
  }
}
