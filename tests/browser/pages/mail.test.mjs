// SPDX-License-Identifier: MIT
//
// The page Mail: each type of notification, and the life of the stream, or the polls.

import assert from 'node:assert/strict';
import { eventually, house, isConnected, Person, sees, test } from './browser.mjs';

const home = house();

const subjects = (page, which = '') => page.locator(`#inbox li${which} .subject`).allTextContents();
const life = page => page.locator('#life tr').evaluateAll(rows => rows.map(row => row.children[1].textContent));

/** The table stands folded; a person may unfold it. */
async function reader(name, path = '/mail') {
  const person = await Person.named(name);
  const page = await person.open(path);
  await isConnected(page);
  return { person, page };
}

test('new mail (70) goes into the inbox and is counted, and read elsewhere (71) is read here', async () => {
  const { page } = await reader('inbox');
  await home.stack.push('inbox', { mail: 'a', from: 'Ada', subject: 'Minutes' }, '70');
  await home.stack.push('inbox', { mail: 'b', from: 'Grace', subject: 'Order' }, '70');
  await eventually('both are there', async () => (await subjects(page)).length === 2);
  assert.deepEqual(await subjects(page), ['Order', 'Minutes']);
  assert.equal(await page.locator('#unread').textContent(), '2');
  assert.equal(await page.title(), '(2) Mail – Letterbox');
  await home.stack.push('inbox', { mail: 'a' }, '71');
  await sees(page, '#unread', '1');
  assert.deepEqual(await subjects(page, '.read'), ['Minutes']);
  await page.reload();
  await isConnected(page);
  assert.deepEqual([await subjects(page), await subjects(page, '.read')], [['Order', 'Minutes'], ['Minutes']]);
});

test('the quota (72) and the calendar (73) are shown as they are now', async () => {
  const { page } = await reader('quota');
  await home.stack.push('quota', { percent: 50 }, '72');
  await home.stack.push('quota', { percent: 93 }, '72');
  await home.stack.push('quota', { title: 'Stand-up', at: '9:30' }, '73');
  await sees(page, '#event', 'Stand-up, 9:30');
  assert.equal(await page.locator('#quota span').textContent(), '93 %, nearly full');
  assert.equal(await page.locator('#quota meter').getAttribute('value'), '93');
});

test('each button pushes what it says, and shows the curl line for it', async () => {
  const { page } = await reader('buttons');
  const effects = { 70: ['#unread', '1'], 71: ['#unread', '0'], 72: ['#quota', '%'], 73: ['#event', ':30'] };
  for (const [kind, [place, text]] of Object.entries(effects)) {
    await page.locator(`[data-kind="${kind}"]`).click();
    await sees(page, place, text);
    assert.match(await page.locator('#push-line code').textContent(), new RegExp(`type=${kind}'$`));
  }
});

test('types it does not know are counted, and broken ones do no harm', async () => {
  const { page } = await reader('sturdy');
  for (const [type, data] of [['70', null], ['70', 'text'], ['71', null], ['72', { percent: 'many' }], ['72', null], ['73', []], ['74', 1], ['constructor', 1]]) await home.stack.push('sturdy', data, type);
  await sees(page, '#others', '74 (1), constructor (1)');
  assert.equal(await page.locator('#unread').textContent(), '2');
});

test('the timeline shows a stream, and each time that it brought messages; as a drawing and as a table', async () => {
  const { page } = await reader('streamed');
  await eventually('it streams', async () => (await life(page))[0] === 'streaming');
  await home.stack.push('streamed', {}, '70');
  await eventually('messages came once, by the same stream', async () => (await life(page))[0] === 'streaming, messages once');
  await home.stack.push('streamed', {}, '70');
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
  await eventually('it polls', async () => (await life(page))[0] === 'parked');
  assert.equal((await life(page)).at(-1), 'streaming, broken off');
  await home.stack.push('held', { mail: '1', from: 'Ada', subject: 'By a poll' }, '70');
  await sees(page, '#inbox', 'By a poll');
});

test('the timeline shows the poll parked, answered, and parked again; as a drawing and as a table', async () => {
  const { page } = await reader('timeline', '/mail?transport=poll');
  await eventually('it is parked', async () => (await life(page))[0] === 'parked');
  await home.stack.push('timeline', {}, '70');
  await eventually('answered, and parked again', async () => {
    const [now, before] = await life(page);
    return now === 'parked' && before === 'parked, answered: messages';
  });
  assert.ok((await page.locator('.timeline .answer.messages').count()) >= 1);
  assert.ok((await page.locator('.timeline rect.polling').count()) >= 2);
  await sees(page, '#now', 'parked for');
});

test('the timeline shows how it is tried again while the server is away', async () => {
  const person = await Person.named('retries');
  person.tolerate(/ERR_FAILED/);
  const page = await person.context.newPage();
  await page.route(/\/(poll|events)\?/, route => route.abort());
  await page.goto(`${home.stack.url}/mail`);
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
  await home.stack.push('second', { mail: '1', from: 'Ada', subject: 'For both' }, '70');
  for (const tab of [page, second]) await sees(tab, '#inbox', 'For both');
});

test('markup in a notification stays text', async () => {
  const { page } = await reader('xss');
  const evil = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  await home.stack.push('xss', { mail: evil, from: evil, subject: evil }, '70');
  await home.stack.push('xss', { title: evil, at: evil }, '73');
  await home.stack.push('xss', 1, evil);
  await sees(page, '#others', '(1)');
  assert.deepEqual(await subjects(page), [evil]);
  assert.equal(await page.locator('main img, main script, [onerror]').count(), 0);
});
