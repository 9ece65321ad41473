// SPDX-License-Identifier: MIT
//
// The npm package of letterbox.js, as its users have it: packed, installed into an empty project,
// and run there under node 18, in Chromium and through a bundler, with the real stack.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test as plain } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { house, Person, test } from '../pages/browser.mjs';
import { ROOT } from '../pages/stack.mjs';

const www = path.join(ROOT, 'nginx/www');
const modules = fileURLToPath(new URL('../node_modules/', import.meta.url));
const run = promisify(execFile);
const manifest = JSON.parse(await readFile(path.join(www, 'package.json'), 'utf8'));

// The oldest node that the package says it works under: this one, or the one of the lock file.
const OLDEST = '18';
const node = process.versions.node.startsWith(`${OLDEST}.`) ? process.execPath : `${modules}node-linux-${process.arch}/bin/node`;

const home = house();
let project;
let packed; // paths in the packed file

/** Runs npm in a folder, without a look at the network. */
const npm = (cwd, ...said) => run('npm', [...said, '--offline', '--no-audit', '--no-fund', '--cache', path.join(project, '.npm')], { cwd });

/** Writes a file of the project; its path. */
async function write(name, text) {
  const file = path.join(project, name);
  await writeFile(file, text);
  return file;
}

before(async () => {
  project = await mkdtemp(path.join(tmpdir(), 'letterbox-project-'));
  const { stdout } = await npm(www, 'pack', '--json', '--pack-destination', project);
  const [{ filename, files }] = JSON.parse(stdout);
  packed = files.map((file) => file.path).sort();
  await write('package.json', '{ "name": "project", "version": "1.0.0", "private": true }');
  await npm(project, 'install', `./${filename}`);
});
after(() => rm(project, { recursive: true, force: true }));

plain('the package holds the client, its types, README and licence, and nothing else', async () => {
  assert.deepEqual(packed, ['LICENSE', 'README.md', 'letterbox.classic.js', 'letterbox.d.ts', 'letterbox.js', 'letterbox.min.js', 'package.json']);
  assert.equal(await readFile(path.join(www, 'LICENSE'), 'utf8'), await readFile(path.join(ROOT, 'LICENSE'), 'utf8'));
});

plain('the package has the version of the Makefile', async () => {
  const [, version] = (await readFile(path.join(ROOT, 'Makefile'), 'utf8')).match(/^VERSION = (\S+)$/m);
  assert.equal(manifest.version, version);
  assert.equal(manifest.engines.node, `>=${OLDEST}`);
  assert.match(await readFile(path.join(www, 'README.md'), 'utf8'), new RegExp(`npm install ./letterbox-${version}\\.tgz`));
});

plain('README says how large each file is, and how large compressed', async () => {
  const readme = await readFile(path.join(www, 'README.md'), 'utf8');
  const rows = [...readme.matchAll(/^\| `(letterbox\S*\.js)`.* \| `(\S+)` \| ([\d.]+) KB \| ([\d.]+) KB \|$/gm)];
  assert.equal(rows.length, packed.filter((name) => name.endsWith('.js')).length);
  for (const [, file, name, size, compressed] of rows) {
    const content = await readFile(path.join(www, file));
    assert.equal(size, (content.length / 1000).toFixed(1), file);
    // Builds of zlib differ by a hundredth.
    const bytes = gzipSync(content, { level: 9 }).length;
    assert.ok(Math.abs(bytes - compressed * 1000) < 150, `${file}: ${bytes} bytes`);
    const found = manifest.exports[name.replace('letterbox', '.')];
    assert.equal(found.default ?? found, `./${file}`);
  }
});

const LISTEN = `
  const box = new Letterbox({ url: process.argv[2], user: process.argv[3], after: '0' });
  box.on('mail', ({ data, kind }) => { console.log(kind, data.n, process.version.split('.')[0]); if (data.n === 2) box.close(); });
  box.on('error', (error) => { console.log(error.message); process.exit(1); });`;

for (const [what, name, code] of [
  ['a module', 'listen.mjs', `import { Letterbox } from 'letterbox'; ${LISTEN}`],
  ['a module, minified', 'listen-min.mjs', `import { Letterbox } from 'letterbox/min'; ${LISTEN}`],
  ['CommonJS', 'listen.cjs', `import('letterbox').then(({ Letterbox }) => { ${LISTEN} });`],
  ['CommonJS by the script for old pages', 'classic.cjs', `import('letterbox/classic').then(() => { ${LISTEN} });`],
]) {
  plain(`installed into an empty project it gets messages under node ${OLDEST}, from ${what}`, async () => {
    const user = name.replace('.', '-');
    for (const n of [1, 2]) await home.stack.push(user, { n }, 'mail');
    // It ends by itself: a client that is closed keeps nothing open.
    const { stdout } = await run(node, [await write(name, code), home.stack.url, user], { timeout: 60_000 });
    assert.equal(stdout, `mail 1 v${OLDEST}\nmail 2 v${OLDEST}\n`);
  });
}

const SHOW = (user) => `
  const box = new Letterbox({ user: '${user}', after: '0' });
  box.on('mail', ({ data }) => { document.body.append(data.text); });`;

const PAGES = {
  'an import map': (user) => `<script type="importmap">{ "imports": { "letterbox": "/node_modules/letterbox/letterbox.js" } }</script>
    <script type="module">import { Letterbox } from 'letterbox'; ${SHOW(user)}</script>`,
  'an import map and the minified module': (user) => `<script type="importmap">{ "imports": { "letterbox": "/node_modules/letterbox/letterbox.min.js" } }</script>
    <script type="module">import { Letterbox } from 'letterbox'; ${SHOW(user)}</script>`,
  'a bundler': async (user) => {
    const entry = await write('page.js', `import { Letterbox } from 'letterbox'; ${SHOW(user)}`);
    const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false });
    return `<script>${outputFiles[0].text}</script>`;
  },
  'a script without modules': (user) => `<script src="/node_modules/letterbox/letterbox.classic.js"></script><script>${SHOW(user)}</script>`,
};

for (const [what, page] of Object.entries(PAGES)) {
  test(`installed into an empty project it gets messages in Chromium, by ${what}`, async () => {
    const user = what.replaceAll(' ', '-');
    const { context } = await Person.named(null);
    const html = `<!doctype html><link rel="icon" href="data:,"><body>${await page(user)}`;
    await context.route('**/project.html', (route) => route.fulfill({ contentType: 'text/html', body: html }));
    await context.route('**/node_modules/**', (route) => route.fulfill({ path: path.join(project, new URL(route.request().url()).pathname) }));
    const tab = await context.newPage();
    await tab.goto(`${home.stack.url}/project.html`);
    await home.stack.push(user, { text: 'hello there' }, 'mail');
    await tab.getByText('hello there').waitFor();
  });
}

const SAMPLE = `
  import { Letterbox, keepAlive, type LetterboxMessage } from 'letterbox';
  import { busy } from 'letterbox/min';
  const box: Letterbox = new Letterbox({ token: async () => 'x' });
  box.on('mail', (message: LetterboxMessage) => message.ack());
  const kept: Promise<number> = keepAlive(Promise.resolve(1));
  busy(document.createElement('button'), () => void kept);
  // @ts-expect-error: there is no such option
  new Letterbox({ tokens: 'x' });`;

for (const [what, name, options, sample = SAMPLE] of [
  ['a bundler', 'sample.ts', ['--module', 'esnext', '--moduleResolution', 'bundler']],
  ['a bundler that keeps CommonJS', 'sample.ts', ['--module', 'preserve', '--moduleResolution', 'bundler']],
  ['node, in a module', 'sample.mts', ['--module', 'nodenext']],
  // Its resolution knows one file for each package.
  ['CommonJS of before there were exports', 'sample.ts', ['--module', 'commonjs', '--moduleResolution', 'node10'], SAMPLE.replace('letterbox/min', 'letterbox')],
]) {
  plain(`its types are found, and right, by ${what}`, async () => {
    const file = await write(name, sample);
    const compiler = path.join(modules, 'typescript/bin/tsc');
    await run(process.execPath, [compiler, '--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom', ...options, file], { cwd: project })
      .catch(({ stdout }) => assert.fail(stdout));
  });
}
