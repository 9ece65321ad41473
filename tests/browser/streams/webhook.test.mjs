// SPDX-License-Identifier: MIT
//
// What is posted to a webhook is a Standard Webhook, as the library of that name checks it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { eventually, Stack, stopAll } from '../pages/stack.mjs';
import { test } from './house.mjs';

const SECRET = `whsec_${Buffer.alloc(24, 'secret').toString('base64')}`;
const posts = [];
let stack;
let receiver;

before(async () => {
  receiver = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    posts.push({ body, headers: request.headers });
    response.writeHead(204).end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  // The secret's file is in the stack's own directory.
  stack = await Stack.start({
    LETTERBOX_DEMO: '0',
    LETTERBOX_WEBHOOK: `http://127.0.0.1:${receiver.address().port}/`,
    LETTERBOX_WEBHOOK_AFTER: '1',
    LETTERBOX_WEBHOOK_SECRET_FILE: 'secret',
  }, directory => writeFileSync(`${directory}/secret`, `${SECRET}\n`));
}, { timeout: 180_000 });
after(async () => {
  await stopAll();
  receiver.close();
}, { timeout: 180_000 });

test('a post is signed as Standard Webhooks have it, and one that was changed is not', async () => {
  await stack.push('alice', 'Grüße, "Bob" & <Eve> 😀');
  await eventually('the post', () => posts.length > 0);
  const [{ body, headers }] = posts;
  const webhook = new Webhook(SECRET);
  const event = webhook.verify(body, headers);
  assert.equal(event.type, 'message.unheard');
  assert.equal(event.data.user, 'alice');
  assert.equal(event.data.data, 'Grüße, "Bob" & <Eve> 😀');
  assert.ok(!Number.isNaN(Date.parse(event.timestamp)));
  for (const [changed, otherwise] of [[body.replace('alice', 'mallory'), headers], [body, { ...headers, 'webhook-id': 'another' }],
                                      [body, { ...headers, 'webhook-timestamp': String(headers['webhook-timestamp'] - 1) }]]) {
    assert.throws(() => webhook.verify(changed, otherwise), WebhookVerificationError);
  }
  assert.throws(() => new Webhook(`whsec_${Buffer.alloc(24).toString('base64')}`).verify(body, headers), WebhookVerificationError);
});
