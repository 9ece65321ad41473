// SPDX-License-Identifier: MIT
//
// The page Mail: each type of notification, and the life of the stream or of the polls.

import assert from 'node:assert/strict';
import { eventually, house, isConnected, Person, sees, test } from './browser.mjs';

const home = house();

const subjects = (page, which = '') => page.locator(`#inbox li${which} .subject`).allTextContents();
const life = page => page.locator('#life tr').evaluateAll(rows => rows.map(row => row.children[1].textContent));
const unfold = page => page.locator('#life-details summary').click();

async function reader(name, path = '/mail') {
  const person = await Person.named(name);
  const page = await person.open(path);
  await isConnected(page);
  return { person, page };
}

test('mail.new goes into the inbox and is counted, and mails that mail.read names are read here', async () => {
  const { page } = await reader('inbox');
  await home.stack.push('inbox', { mail: 'a', from: 'Ada', subject: 'Minutes' }, 'mail.new');
  await home.stack.push('inbox', { mail: 'b', from: 'Grace', subject: 'Order' }, 'mail.new');
  await eventually('both are there', async () => (await subjects(page)).length === 2);
  assert.deepEqual(await subjects(page), ['Order', 'Minutes']);
  assert.equal(await page.locator('#unread').textContent(), '2');
  assert.equal(await page.title(), '(2) Mail – Letterbox');
  await home.stack.push('inbox', { mail: 'a' }, 'mail.read');
  await sees(page, '#unread', '1');
  assert.deepEqual(await subjects(page, '.read'), ['Minutes']);
  await page.reload();
  await isConnected(page);
  assert.deepEqual([await subjects(page), await subjects(page, '.read')], [['Order', 'Minutes'], ['Minutes']]);
});

test('mail.quota and calendar.next are shown with their latest values', async () => {
  const { page } = await reader('quota');
  await home.stack.push('quota', { percent: 50 }, 'mail.quota');
  await home.stack.push('quota', { percent: 93 }, 'mail.quota');
  await home.stack.push('quota', { title: 'Stand-up', at: '9:30' }, 'calendar.next');
  await sees(page, '#event', 'Stand-up, 9:30');
  assert.equal(await page.locator('#quota span').textContent(), '93 %, nearly full');
  assert.equal(await page.locator('#quota meter').getAttribute('value'), '93');
});

test('each button pushes what it says, and shows the curl line for it', async () => {
  const { page } = await reader('buttons');
  const effects = { 'mail.new': ['#unread', '1'], 'mail.read': ['#unread', '0'], 'mail.quota': ['#quota', '%'], 'calendar.next': ['#event', ':30'] };
  for (const [kind, [place, text]] of Object.entries(effects)) {
    await page.locator(`[data-kind="${kind}"]`).click();
    await sees(page, place, text);
    assert.match(await page.locator('#push-line code').textContent(), new RegExp(`type=${kind}'$`));
  }
});

test('unknown types are counted, and broken ones do no harm', async () => {
  const { page } = await reader('sturdy');
  for (const [type, data] of [['mail.new', null], ['mail.new', 'text'], ['mail.read', null], ['mail.quota', { percent: 'many' }], ['mail.quota', null], ['calendar.next', []], ['mail', 1], ['constructor', 1]]) await home.stack.push('sturdy', data, type);
  await sees(page, '#others', 'mail (1), constructor (1)');
  assert.equal(await page.locator('#unread').textContent(), '2');
});

test('a new mail is put above the others, which stay the same elements', async () => {
  const { page } = await reader('calm');
  await home.stack.push('calm', { mail: 'a', from: 'Ada', subject: 'Minutes' }, 'mail.new');
  await sees(page, '#inbox', 'Minutes');
  const first = await page.locator('#inbox li').first().elementHandle();
  await home.stack.push('calm', { mail: 'b', from: 'Grace', subject: 'Order' }, 'mail.new');
  await home.stack.push('calm', { percent: 10 }, 'mail.quota');
  await sees(page, '#quota', '10 %');
  await home.stack.push('calm', { mail: 'a' }, 'mail.read');
  await sees(page, '#inbox li.read', 'Minutes');
  assert.deepEqual(await subjects(page), ['Order', 'Minutes']);
  assert.equal(await first.evaluate(item => item === document.querySelector('#inbox').lastElementChild), true);
});

test('the table of the connection is built only if it is open, and a finished row stays the same element', async () => {
  const { page } = await reader('table', '/mail?transport=poll');
  await home.stack.push('table', {}, 'mail.new');
  await sees(page, '#unread', '1');
  assert.deepEqual(await life(page), []);
  await unfold(page);
  await eventually('it has rows', async () => (await life(page)).includes('poll parked, answered: messages'));
  const row = await page.locator('#life tr', { hasText: 'answered: messages' }).last().elementHandle();
  const before = await page.locator('#now').textContent();
  await eventually('the drawing has moved on', async () => (await page.locator('#now').textContent()) !== before);
  await home.stack.push('table', {}, 'mail.new');
  await eventually('it has more rows', async () => (await life(page)).filter(words => words === 'poll parked, answered: messages').length >= 2);
  assert.equal(await row.evaluate(element => element.isConnected), true);
});

test('the timeline shows a stream, and each time that it brought messages; as a drawing and as a table', async () => {
  const { page } = await reader('streamed');
  await unfold(page);
  await eventually('it streams', async () => (await life(page))[0] === 'streaming');
  await home.stack.push('streamed', {}, 'mail.new');
  await eventually('messages came once, by the same stream', async () => (await life(page))[0] === 'streaming, messages once');
  await home.stack.push('streamed', {}, 'mail.new');
  await eventually('and once more', async () => (await life(page))[0] === 'streaming, messages 2 times');
  assert.equal((await life(page)).length, 1);
  assert.equal(await page.locator('.timeline .answer.messages').count(), 2);
  assert.equal(await page.locator('.timeline rect.streaming').count(), 1);
  await sees(page, '#now', 'streaming for');
});

test('the timeline shows a stream that a proxy holds back, and the polls after it', async () => {
  const person = await Person.named('held');
  const page = await person.context.newPage();
  await page.route('**/events?*', () => {}); // nothing comes
  await page.goto(`${home.stack.url}/mail`);
  await isConnected(page);
  await unfold(page);
  await eventually('it polls', async () => (await life(page))[0] === 'poll parked');
  assert.equal((await life(page)).at(-1), 'streaming, connection lost');
  await home.stack.push('held', { mail: '1', from: 'Ada', subject: 'By a poll' }, 'mail.new');
  await sees(page, '#inbox', 'By a poll');
});

test('the timeline shows the poll parked, answered, and parked again; as a drawing and as a table', async () => {
  const { page } = await reader('timeline', '/mail?transport=poll');
  await unfold(page);
  await eventually('it is parked', async () => (await life(page))[0] === 'poll parked');
  await home.stack.push('timeline', {}, 'mail.new');
  await eventually('answered, and parked again', async () => {
    const [now, before] = await life(page);
    return now === 'poll parked' && before === 'poll parked, answered: messages';
  });
  assert.ok((await page.locator('.timeline .answer.messages').count()) >= 1);
  assert.ok((await page.locator('.timeline rect.polling').count()) >= 2);
  await sees(page, '#now', 'poll parked for');
});

test('the timeline shows the retries while the server is away', async () => {
  const person = await Person.named('retries');
  person.tolerate(/ERR_FAILED/);
  const page = await person.context.newPage();
  await page.route(/\/(poll|events)\?/, route => route.abort());
  await page.goto(`${home.stack.url}/mail`);
  await unfold(page);
  await eventually('it waits to try again', async () => (await life(page)).includes('waiting to try again'));
  await page.locator('.timeline rect.waiting').first().waitFor({ state: 'attached' });
  await page.unroute(/\/(poll|events)\?/);
  await isConnected(page);
  await eventually('it streams', async () => (await life(page))[0] === 'streaming');
});

test('a second tab says that the other one is connected, and shows the same mails', async () => {
  const { person, page } = await reader('second');
  const second = await person.open('/mail');
  await sees(second, '#now', 'another tab is connected');
  await home.stack.push('second', { mail: '1', from: 'Ada', subject: 'For both' }, 'mail.new');
  for (const tab of [page, second]) await sees(tab, '#inbox', 'For both');
});

test('markup in a notification stays text', async () => {
  const { page } = await reader('xss');
  const evil = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  await home.stack.push('xss', { mail: evil, from: evil, subject: evil }, 'mail.new');
  await home.stack.push('xss', { title: evil, at: evil }, 'calendar.next');
  await home.stack.push('xss', 1, evil);
  await sees(page, '#others', '(1)');
  assert.deepEqual(await subjects(page), [evil]);
  assert.equal(await page.locator('main img, main script, [onerror]').count(), 0);
});
