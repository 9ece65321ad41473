// SPDX-License-Identifier: MIT
//
// LETTERBOX_ORIGIN=http://127.0.0.1:8000 scripts/run
// node scripts/clients/examples/node/server.mjs 8000                 and then http://127.0.0.1:8000 in a browser

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const url = process.env.LETTERBOX_URL ?? 'http://127.0.0.1:8080';
const users = new Map(); // by session; a restart logs everybody out
const file = path => readFileSync(new URL(path, import.meta.url));

const isName = text => /^[A-Za-z0-9._-]{1,64}$/.test(text);

/** A request to Letterbox, repeated while it fails for the moment: by its key it is one push, however often it is sent. */
async function letterbox(path, body) {
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': randomUUID() };
  for (let tries = 1; ; tries++) {
    const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) }).catch(() => null);
    if (answer?.ok) return answer.json();
    if (tries === 5 || (answer && answer.status !== 429 && answer.status < 500)) throw new Error(answer ? await answer.text() : 'Letterbox is away');
    await new Promise(resolve => setTimeout(resolve, 1000 * Number(answer?.headers.get('Retry-After') || 1)));
  }
}

const routes = {
  'GET /': (_, response) => response.setHeader('Content-Type', 'text/html; charset=utf-8').end(file('../page.html')),
  'GET /letterbox.js': (_, response) => response.setHeader('Content-Type', 'text/javascript').end(file('../../../../nginx/www/letterbox.js')),
  'POST /login': ({ form }, response) => { // and here your site checks the password
    if (!isName(form.get('name'))) return response.writeHead(400).end();
    const session = randomUUID();
    users.set(session, form.get('name'));
    response.writeHead(303, { Location: '/', 'Set-Cookie': `session=${session}; HttpOnly; SameSite=Strict` }).end();
  },
  'POST /token': async ({ user }, response) => {
    const token = user ? await letterbox('/tokens', { user, ttl: 3600 }) : { user: null };
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ ...token, url }));
  },
  'POST /push': async ({ user, form }, response) => { // to one user, from the one who is logged in
    if (!user || !isName(form.get('to'))) return response.writeHead(user ? 400 : 401).end();
    await letterbox('/push', { to: form.get('to'), type: 'note', data: { from: user, text: form.get('text') } });
    response.writeHead(303, { Location: '/' }).end();
  },
};

createServer(async (request, response) => {
  let body = '';
  for await (const part of request.setEncoding('utf8')) if ((body += part).length > 65536) return request.destroy();
  const user = users.get(/(?:^|; )session=([^;]+)/.exec(request.headers.cookie)?.[1]);
  const route = routes[`${request.method} ${request.url.split('?')[0]}`] ?? (() => response.writeHead(404).end());
  await Promise.resolve(route({ user, form: new URLSearchParams(body) }, response)).catch(error => response.writeHead(502).end(String(error)));
}).listen(Number(process.argv[2] ?? 8000), '127.0.0.1');
