// SPDX-License-Identifier: MIT
//
// The page of scripts/clients/examples in a browser, served by each of the back ends there, as their first lines say.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { after } from 'node:test';
import { eventually, house, Person, sees, test } from './browser.mjs';
import { ROOT } from './stack.mjs';

/** A TCP port of loopback that was free a moment ago. */
const sparePort = () => new Promise(resolve => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});

const examples = `${ROOT}scripts/clients/examples/`;
const COMMANDS = {
  php: port => ['php', '-S', `127.0.0.1:${port}`, `${examples}php/index.php`],
  python: port => [`${examples}python/notes.py`, String(port)],
  node: port => [process.execPath, `${examples}node/server.mjs`, String(port)],
};
const ports = {};
for (const language of Object.keys(COMMANDS)) ports[language] = await sparePort();
const urlOf = language => `http://127.0.0.1:${ports[language]}`;
const home = house({ LETTERBOX_OPEN: '0', LETTERBOX_ORIGIN: Object.keys(COMMANDS).map(urlOf).join(',') });

// They end after the browser, whose pages ask them for tokens until then.
const servers = [];
after(() => servers.forEach(server => server.kill()));
process.on('exit', () => servers.forEach(server => server.kill()));

for (const [language, command] of Object.entries(COMMANDS)) {
  test(`${language}: a note that one person sends by the form is on the page of the other`, async () => {
    const [program, ...rest] = command(ports[language]);
    servers.push(spawn(program, rest, { env: { ...process.env, LETTERBOX_URL: home.stack.url, PYTHONDONTWRITEBYTECODE: '1' }, stdio: 'ignore' }));
    await eventually('it listens', () => fetch(urlOf(language)).then(() => true));
    const [alice, bob] = [`alice-${language}`, `bob-${language}`];
    const pages = {};
    for (const name of [alice, bob]) {
      const person = await Person.named(null, {}, { url: urlOf(language) });
      person.tolerate(/favicon|^request to .*\/(?:poll|events|ack|alive)/);
      const page = await person.open('/');
      await sees(page, '#state', 'Not logged in.');
      await page.locator('[name=name]').fill(name);
      await page.locator('form[action="/login"] button').click();
      await sees(page, '#state', `Logged in as ${name}.`);
      pages[name] = page;
    }
    await pages[bob].locator('[name=to]').fill(alice);
    await pages[bob].locator('[name=text]').fill('<b>Lunch?</b>');
    await pages[bob].locator('form[action="/push"] button').click();
    await sees(pages[alice], '#notes', `${bob}: <b>Lunch?</b>`);
    assert.equal(await pages[alice].locator('#notes li').count(), 1);
  });
}
