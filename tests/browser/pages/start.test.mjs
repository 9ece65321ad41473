// SPDX-License-Identifier: MIT
//
// The page Start: from a name to a message, and how the server's troubles look there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { eventually, house, isConnected, Person, sees, test } from './browser.mjs';
import { Stack } from './stack.mjs';

const home = house();
const run = promisify(execFile);
const tabOf = (page, language) => page.locator('#send-line [role="tab"]', { hasText: language });
const codeIn = (page, place) => page.locator(`${place} code`).textContent();

const arrived = page => page.locator('#arrived .said').allTextContents();

/** Presses Tab until the focus is on `selector`. */
async function tabTo(page, selector) {
  for (let steps = 0; steps < 40; steps++) {
    if (await page.evaluate(wanted => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`the focus never came to ${selector}`);
}

test('by keyboard alone: past the header, a name, a text, and the message is there', async () => {
  const page = await (await Person.named(null)).open('/');
  await sees(page, '#state', 'no name yet');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
  await page.keyboard.press('Enter');
  await tabTo(page, '#name');
  await page.keyboard.type('keyed');
  await page.keyboard.press('Enter');
  await isConnected(page);
  await tabTo(page, '#text');
  await page.keyboard.type('typed by hand');
  await tabTo(page, '#send button');
  await page.keyboard.press('Enter');
  await sees(page, '#arrived', 'typed by hand');
  await sees(page, '#sent:not(.bad)', /Delivered|Stored/);
});

test('a name that is removed leaves the page as it was at first', async () => {
  const page = await (await Person.named('gone')).open('/');
  await isConnected(page);
  await home.stack.push('gone', 'for gone alone');
  await sees(page, '#arrived', 'for gone alone');
  await page.locator('#name').fill('');
  await page.locator('#who button').click();
  await sees(page, '#state', 'no name yet');
  assert.deepEqual(await arrived(page), []);
});

test('?user= makes a tab, and the pages that it links to, another user’s', async () => {
  const person = await Person.named('first');
  await isConnected(await person.open('/'));
  const page = await person.open('/?user=second');
  await isConnected(page);
  await home.stack.push('second', 'for the second');
  await sees(page, '#arrived', 'for the second');
  await page.locator('nav a', { hasText: 'Mail' }).click();
  await page.waitForURL('**/mail?user=second');
  assert.equal(await page.locator('#name').inputValue(), 'second');
});

test('a message that is pushed from outside is shown, with its type', async () => {
  const page = await (await Person.named('shown')).open('/');
  await isConnected(page);
  await home.stack.push('shown', { from: 'bob' }, 'mail');
  await sees(page, '#arrived .badge', 'mail');
  assert.deepEqual(await arrived(page), ['{"from":"bob"}']);
});

test('messages that came while no page was open, and those from before a reload, are shown, each once', async () => {
  const person = await Person.named('reloads');
  await home.stack.push('reloads', 'before');
  const page = await person.open('/');
  await sees(page, '#arrived', 'before');
  await page.goto('about:blank');
  await home.stack.push('reloads', 'meanwhile');
  await page.goto(home.stack.url);
  await sees(page, '#arrived', 'meanwhile');
  await page.reload();
  await home.stack.push('reloads', 'after');
  await sees(page, '#arrived', 'after');
  assert.deepEqual(await arrived(page), ['after', 'meanwhile', 'before']);
});

for (const text of ["it's", '@file', '$HOME `id` $(id) "x" \\n %00 &amp; # ! ~', "line one\nline two\n'", "''\\''", '-d x', 'grüße, 漢字, 🙂']) {
  test(`the curl line that is shown for ${JSON.stringify(text)} sends the same from a shell`, async () => {
    const person = await Person.named('quoting');
    const page = await person.open('/');
    await isConnected(page);
    await page.locator('#to').fill('quoting');
    await page.locator('#type').fill("a'b c");
    await page.locator('#text').fill(text);
    const line = await page.locator('#send-line code').textContent();
    const before = (await arrived(page)).length;
    await run('/bin/sh', ['-c', line]);
    await eventually('it has arrived', async () => (await arrived(page)).length > before);
    assert.equal((await arrived(page))[0], text);
    assert.equal(await page.locator('#arrived .badge').first().textContent(), "a'b c");
  });
}

// The program that runs a tab's code.
const RUNS = {
  PHP: code => run('php', ['-r', code.replace(/^<\?php\n/, '')]),
  Python: code => run('/usr/bin/python3', ['-c', code]),
  JS: code => run(process.execPath, ['--input-type=module', '--eval', code]),
};

test('the PHP, Python and JavaScript that are shown send what the form says, and print the answer', async () => {
  const person = await Person.named('coder');
  const page = await person.open('/');
  await isConnected(page);
  await page.locator('#type').fill("a'b c");
  for (const text of ['plain', "it's \"$HOME\" \\n %00 \\", 'line one\nline two', 'grüße, 漢字, 🙂 </script> ?>', "\\'", "'); exit('", 'a\\\\b ?> $x {$y}']) {
    await page.locator('#text').fill(text);
    for (const [language, runs] of Object.entries(RUNS)) {
      await tabOf(page, language).click();
      const before = (await arrived(page)).length;
      const { stdout } = await runs(await codeIn(page, '#send-line'));
      assert.equal(JSON.parse(stdout).waiting, true, stdout);
      await eventually('it has arrived', async () => (await arrived(page)).length > before);
      assert.equal((await arrived(page))[0], text, language);
      assert.equal(await page.locator('#arrived .badge').first().textContent(), "a'b c");
    }
  }
});

test('the code that asks for a token gets one of this user, in each language', async () => {
  const page = await (await Person.named('tokened')).open('/');
  await isConnected(page);
  const tab = language => page.locator('#token-line [role="tab"]', { hasText: language });
  await tab('curl').click();
  const answers = [await run('/bin/sh', ['-c', await codeIn(page, '#token-line')])];
  for (const [language, runs] of Object.entries(RUNS)) {
    await tab(language).click();
    answers.push(await runs(await codeIn(page, '#token-line')));
  }
  for (const { stdout } of answers) assert.equal(JSON.parse(stdout).user, 'tokened');
});

test('arrows, Home and End go through the tabs, and a chosen language is chosen in all, also after a reload', async () => {
  const page = await (await Person.named('tabber')).open('/');
  await isConnected(page);
  const chosen = place => page.locator(`${place} [role="tab"][aria-selected="true"]`).allTextContents();
  await tabTo(page, '#send-line [role="tab"]');
  assert.deepEqual(await chosen('#send-line'), ['curl']);
  for (const [key, language] of [['ArrowRight', 'PHP'], ['End', 'JS'], ['ArrowRight', 'curl'], ['ArrowLeft', 'JS'], ['Home', 'curl'], ['ArrowRight', 'PHP'], ['ArrowRight', 'Python']]) {
    await page.keyboard.press(key);
    assert.deepEqual([await chosen('#send-line'), await chosen('#token-line')], [[language], [language]]);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), language);
  }
  assert.match(await codeIn(page, '#send-line'), /import urllib/);
  assert.equal(await page.locator('#send-line [role="tabpanel"]').getAttribute('aria-labelledby'), await tabOf(page, 'Python').getAttribute('id'));
  await page.keyboard.press('Tab'); // one stop for all tabs: next is the code
  assert.equal(await page.evaluate(() => document.activeElement.localName), 'pre');
  await page.reload();
  assert.deepEqual(await chosen('#send-line'), ['Python']);
});

test('the server’s last answer is shown as it came, also a refusal; so is the last message', async () => {
  const person = await Person.named('raw');
  person.tolerate(/status of 400/);
  const page = await person.open('/');
  await isConnected(page);
  await page.locator('#text').fill('hello');
  await page.locator('#send .actions button').click();
  await sees(page, '#answer', 'HTTP 201');
  const [, body] = (await page.locator('#answer').textContent()).split('\n');
  assert.deepEqual(Object.keys(JSON.parse(body)), ['id', 'queued', 'waiting']);
  await sees(page, '#raw', 'hello');
  const message = JSON.parse(await page.locator('#raw').textContent());
  assert.deepEqual({ ...message, time: 0 }, { id: JSON.parse(body).id, type: 'message', data: 'hello', time: 0 });
  await page.locator('#to').fill('b b');
  await page.locator('#send .actions button').click();
  await sees(page, '#answer', 'HTTP 400');
  await sees(page, '#answer', '"code":"bad_user"');
});

test('each link of a page leads to something', async () => {
  const person = await Person.named('linked');
  for (const path of ['/', '/login']) {
    const page = await person.open(path);
    const links = await page.locator('a[href^="/"]').evaluateAll(all => all.map(link => link.href));
    assert.ok(links.length > 6, links.join());
    for (const link of links) assert.equal((await fetch(link)).status, 200, link);
  }
  const text = await (await fetch(`${home.stack.url}/PROTOCOL.md`)).text();
  assert.match(text, /^# Letterbox over HTTP/);
});

test('the lines for a browser without scripts run, and wait for and send a message', async () => {
  const page = await (await Person.named(null)).open('/');
  const [, text] = /<noscript>.*?<code>([^]*?)<\/code>/.exec(await page.evaluate(async () => (await fetch('/')).text()));
  const [poll, push] = text.replaceAll('http://127.0.0.1:8080', home.stack.url).split('\n');
  assert.equal(JSON.parse((await run('/bin/sh', ['-c', push])).stdout).queued >= 1, true);
  assert.equal(JSON.parse((await run('/bin/sh', ['-c', poll])).stdout).messages.at(-1).data, 'hello');
});

test('a screen reader hears the state a second after a change, and not each change', async () => {
  const person = await Person.named('announced');
  person.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const page = await person.context.newPage();
  await page.clock.install();
  await page.goto(home.stack.url);
  await isConnected(page);
  const said = page.locator('#state-said');
  await sees(page, '#state-said', 'connected');
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1000));
  await person.context.setOffline(true);
  await sees(page, '#state-word', 'offline');
  await page.clock.runFor(900);
  assert.equal(await said.textContent(), 'connected');
  // Each retry says that it tries again, and at once that it is offline.
  await page.evaluate(() => {
    globalThis.changes = { 'state-word': [], 'state-said': [] };
    for (const [id, texts] of Object.entries(globalThis.changes)) {
      const node = document.getElementById(id);
      new MutationObserver(all => texts.push(...all.map(() => node.textContent))).observe(node, { childList: true });
    }
  });
  // The page's clock stands while a retry fails, since that takes as long as the browser likes.
  let changes;
  do {
    await page.clock.runFor(100);
    await sees(page, '#state-word', 'offline');
    changes = await page.evaluate(() => globalThis.changes);
  } while (changes['state-word'].length < 2 || changes['state-said'].length < 1);
  assert.deepEqual(changes['state-said'], ['offline']);
  assert.equal(await said.getAttribute('role'), 'status');
  assert.equal(await page.locator('[role="status"] #state-word').count(), 0);
});

test('Copy puts the line into the clipboard', async () => {
  const person = await Person.named('copies', { permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await person.open('/');
  await page.locator('#text').fill("it's");
  await page.locator('#send-line .command button').click();
  await sees(page, '#send-line .command button', 'Copied');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.locator('#send-line code').textContent());
});

test('a refusal of the server is shown in its own words: a name, a recipient, a type, an empty text', async () => {
  const person = await Person.named('odd name <b>');
  person.tolerate(/status of 400/);
  const page = await person.open('/');
  await sees(page, '#notices', 'bad_user');
  await sees(page, '#state', 'stopped');
  for (const [to, type, text, words] of [['b b', '', 'x', 'user'], ['bob', 'x'.repeat(65), 'x', 'type'], ['bob', '', '', 'body']]) {
    await page.locator('#to').fill(to);
    await page.locator('#type').fill(type);
    await page.locator('#text').fill(text);
    await page.locator('#send button').click();
    await sees(page, '#sent.bad', words);
  }
  await page.locator('#name').fill('mended');
  await page.locator('#who button').click();
  await isConnected(page);
});

test('a huge text is shown in part, and so is one with a type of its own', async () => {
  const page = await (await Person.named('huge')).open('/');
  await isConnected(page);
  await home.stack.push('huge', 'x'.repeat(200_000), 'close');
  await sees(page, '#arrived', '200,000 characters');
  await home.stack.push('huge', [[[null, { __proto__: 1 }]]], '__proto__');
  await sees(page, '#arrived', '[[[null');
  assert.equal(await page.locator('#state-word').textContent(), 'connected');
});

test('a period without network: the page says so, and shows all messages when the network is back', async () => {
  const person = await Person.named('offline');
  person.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const page = await person.open('/');
  await isConnected(page);
  await person.context.setOffline(true);
  await sees(page, '#state', 'offline');
  for (const text of ['one', 'two', 'three']) await home.stack.push('offline', text);
  await person.context.setOffline(false);
  await sees(page, '#arrived', 'three');
  await isConnected(page);
  assert.deepEqual(await arrived(page), ['three', 'two', 'one']);
});

test('kicked: the page says why, and asks no more until the user asks it to', async () => {
  const person = await Person.named('kicked');
  person.tolerate(/status of 403/);
  const page = await person.open('/');
  await isConnected(page);
  await eventually('its poll is parked', async () => (await home.stack.mailbox('kicked')).polls === 1);
  await home.stack.ask('POST', '/users/kick', { json: { user: 'kicked', reason: 'too loud', for: 2 } });
  await sees(page, '#notices', 'too loud');
  await sees(page, '#state', 'stopped');
  await home.stack.push('kicked', 'while out');
  assert.equal((await home.stack.mailbox('kicked')).polls, 0);
  await eventually('it may come in again', async () => {
    if (await page.locator('#state-word', { hasText: 'connected' }).isVisible()) return true;
    const again = page.locator('#notices button');
    if (await again.isVisible()) await again.click();
    return false;
  });
  await sees(page, '#arrived', 'while out');
});

test('locked: the page says why; after an unlock it goes on where it was', async () => {
  const person = await Person.named('locked');
  person.tolerate(/status of 403/);
  const page = await person.open('/');
  await isConnected(page);
  await home.stack.ask('POST', '/users/lock', { json: { user: 'locked', reason: 'unpaid' } });
  await sees(page, '#notices', 'unpaid');
  await home.stack.push('locked', 'kept');
  await home.stack.ask('POST', '/users/unlock', { json: { user: 'locked' } });
  await page.locator('#notices button').click();
  await sees(page, '#arrived', 'kept');
});

test('two tabs share one poll; when the one that polls is closed the other goes on, without loss or doubling', async () => {
  const person = await Person.named('tabs');
  const first = await person.open('/');
  await isConnected(first);
  const second = await person.open('/');
  await isConnected(second);
  await home.stack.push('tabs', 'one');
  for (const page of [first, second]) await sees(page, '#arrived', 'one');
  const { clients, polls } = await home.stack.mailbox('tabs');
  assert.equal(clients.length, 1);
  assert.ok(polls <= 1, `${polls} polls`);
  const closed = first.close();
  const all = ['one'];
  for (let n = 0; n < 20; n++) {
    all.push(`number ${n}`);
    await home.stack.push('tabs', `number ${n}`);
  }
  await closed;
  await sees(second, '#arrived', 'number 19');
  assert.deepEqual((await arrived(second)).reverse(), all);
  await eventually('the other tab polls, as the same client', async () => {
    const now = await home.stack.mailbox('tabs');
    return now.polls === 1 && now.clients.length === 1;
  });
});

test('the server is replaced, and later away for a while: no message is lost or comes twice', async () => {
  const stack = await Stack.start();
  const person = await Person.named('restarts', {}, stack);
  person.tolerate(/status of 50[234]|ERR_CONNECTION_(REFUSED|RESET)|ERR_EMPTY_RESPONSE/);
  const page = await person.open('/');
  await isConnected(page);
  await stack.push('restarts', 'before');
  await sees(page, '#arrived', 'before');
  await stack.service('restart');
  await stack.push('restarts', 'replaced');
  await sees(page, '#arrived', 'replaced');
  await stack.service('stop');
  await sees(page, '#state', 'trying again');
  await stack.service('start');
  await stack.push('restarts', 'back');
  await sees(page, '#arrived', 'back');
  await isConnected(page);
  assert.deepEqual(await arrived(page), ['back', 'replaced', 'before']);
  await person.context.close();
  await stack.stop();
});

test('markup in every field, name and message of the page stays text', async () => {
  const evil = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  const person = await Person.named(evil);
  person.tolerate(/status of 400/);
  const page = await person.open('/');
  await sees(page, '#notices', 'bad_user');
  for (const field of ['#to', '#type', '#text']) await page.locator(field).fill(evil);
  await page.locator('#send button').click();
  await sees(page, '#sent.bad', 'user');
  await page.locator('#name').fill('target');
  await page.locator('#who button').click();
  await isConnected(page);
  await home.stack.push('target', evil, evil.slice(0, 60));
  await home.stack.push('target', { [evil]: evil }, 'mail');
  await sees(page, '#arrived', `{"${evil}`);
  assert.equal(await page.locator('main img, main script, [onerror]').count(), 0);
  assert.deepEqual(await arrived(page), [JSON.stringify({ [evil]: evil }), evil]);
});
