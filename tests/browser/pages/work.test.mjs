// SPDX-License-Identifier: MIT
//
// The page Long work: a job from its start to its result.

import assert from 'node:assert/strict';
import { eventually, house, isConnected, Person, sees, test } from './browser.mjs';

const home = house();

async function worker(name, path = '/work?after=500&every=500') {
  const person = await Person.named(name);
  const page = await person.open(path);
  await isConnected(page);
  return { person, page };
}

async function start(page, seconds) {
  await page.locator('#seconds').fill(String(seconds));
  await page.locator('#go').click();
}

/** Counts the heartbeats that a person's pages send. */
function countBeats(person) {
  const beats = { count: 0 };
  person.context.on('request', request => {
    if (new URL(request.url()).pathname === '/alive') beats.count++;
  });
  return beats;
}

test('a job runs from start to result: progress is shown, heartbeats go out, and none after its end', async () => {
  const { person, page } = await worker('long');
  const beats = countBeats(person);
  await start(page, 5);
  await eventually('the button refuses a second press', () => page.locator('#go').isDisabled());
  assert.equal(await page.locator('#start').getAttribute('aria-busy'), 'true');
  await page.locator('.job[data-state="progress"]').waitFor();
  await eventually('it has come some way', async () => Number(await page.locator('.job progress').getAttribute('value')) > 0);
  await page.locator('.job[data-state="done"]').waitFor();
  await sees(page, '.job', 'succeeded after');
  await sees(page, '.job .output', 'page 5 of 5');
  await eventually('the button is free', () => page.locator('#go').isEnabled());
  assert.ok(beats.count >= 2, `${beats.count} heartbeats`);
  assert.ok((await page.locator('#beats li').count()) >= 1);
  const sent = beats.count;
  // Another job of another page takes longer than several heartbeats of this one would.
  await home.stack.push('jobs', { user: 'long', job: 'from-elsewhere', seconds: 3 }, 'start');
  await page.locator('[data-job="from-elsewhere"][data-state="done"]').waitFor();
  assert.equal(beats.count, sent);
});

test('as delivered the first heartbeat is 20 s after the press, and the job takes 90 s', async () => {
  const { page } = await worker('shipped', '/work');
  assert.equal(await page.locator('#seconds').inputValue(), '90');
  assert.deepEqual([await page.locator('#after').textContent(), await page.locator('#every').textContent()], ['20 s', '20 s']);
});

test('a page that is reloaded in the middle shows the job again, and its result', async () => {
  const { person, page } = await worker('reloader');
  await start(page, 6);
  await page.locator('.job[data-state="progress"]').waitFor();
  const job = await page.locator('.job').getAttribute('data-job');
  await page.reload();
  await page.locator(`[data-job="${job}"]`).waitFor();
  const beats = countBeats(person);
  await page.locator(`[data-job="${job}"][data-state="done"]`).waitFor();
  assert.equal(await page.locator('.job').count(), 1);
  assert.ok(beats.count >= 1, 'it was kept alive again');
  await page.reload();
  await page.locator(`[data-job="${job}"][data-state="done"]`).waitFor();
  await page.locator('#forget').click();
  await page.locator('#nothing').waitFor();
  await page.reload();
  await page.locator('#nothing').waitFor();
});

test('a person need not wait for a job that no worker takes', async () => {
  const { page } = await worker('patient');
  await page.route('**/push?*', route => route.fulfill({ status: 202, contentType: 'application/json', body: '{"id":"1-1","queued":1,"waiting":false}' }));
  await start(page, 5);
  await sees(page, '.job', 'Waiting for a worker');
  await page.locator('.job button').click();
  await eventually('the button is free', () => page.locator('#go').isEnabled());
});

test('a start that is refused, or makes no sense, is reported, and the button is free again', async () => {
  const { person, page } = await worker('refused');
  person.tolerate(/status of 503/);
  for (const seconds of ['0', '121', '1.5', 'long', '']) {
    await start(page, seconds);
    await sees(page, '#started.bad', 'from 1 to 120');
  }
  await page.route('**/push?*', route => route.fulfill({ status: 503, contentType: 'application/json', body: '{"error":{"code":"store_unavailable","message":"the store is away","terminal":false,"retry_after_ms":1000}}' }));
  await start(page, 5);
  await sees(page, '#started.bad', 'the store is away');
  await page.locator('#nothing').waitFor();
  assert.equal(await page.locator('#go').isEnabled(), true);
});

test('a job that fails shows its status and last lines, markup in it as text, and a broken message does no harm', async () => {
  const evil = '<img src=x onerror=alert(1)>';
  const { page } = await worker('failing');
  for (const data of [null, 1, {}, { job: 1 }, { job: 'x', state: 'odd' }, { job: evil, state: 'progress', percent: 'x', line: evil, tail: 1 }]) await home.stack.push('failing', data, 'job');
  await home.stack.push('failing', { job: 'broken', command: evil, state: 'done', status: 3, signal: null, ms: 1234, tail: [evil, { [evil]: 1 }] }, 'job');
  await sees(page, '[data-job="broken"]', 'exit status 3 after 1.2 s');
  await sees(page, '[data-job="broken"] .output', evil);
  assert.equal(await page.locator('main img, main script, [onerror]').count(), 0);
});
