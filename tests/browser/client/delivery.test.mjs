// SPDX-License-Identifier: MIT
//
// The files as delivered: their size, their types, and the script for old pages.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { transform } from 'esbuild';
import { classic, makeClassic, makeModule, module, source, target } from '../build-client.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
const STRICT = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'es2022', '--moduleResolution', 'bundler', '--lib', 'es2022,dom,dom.iterable'];

/** Fails with what the compiler says. */
async function compile(...said) {
  await promisify(execFile)(process.execPath, [compiler, ...STRICT, ...said]).catch(({ stdout, stderr }) => assert.fail(stdout + stderr));
}

const packed = (code) => gzipSync(code, { level: 9 }).length;

for (const [file, make] of [[module, makeModule], [classic, makeClassic]]) {
  test(`${path.basename(file)} is made from its present source, and less than 6 KB compressed`, async (t) => {
    const kept = await readFile(file, 'utf8');
    assert.equal(kept, await make(), 'run make client');
    assert.ok(kept.startsWith('// SPDX-License-Identifier: MIT\n'));
    t.diagnostic(`${packed(kept)} bytes, ${kept.length} before compression`);
    assert.ok(packed(kept) < 6000, `${packed(kept)} bytes`);
  });
}

for (const file of [source, module, classic]) test(`${path.basename(file)} has no syntax that a browser of 2021 does not read`, async () => {
  const kept = await readFile(file, 'utf8');
  const [old, present] = await Promise.all([target, 'esnext'].map((target) => transform(kept, { target })));
  assert.ok(old.code === present.code, 'there is something to translate');
});

test('loaded as a script it makes one global, which streams', async () => {
  const asked = [];
  const window = vm.createContext({
    location: new URL('https://example.org/'),
    fetch: (address) => (asked.push(address), new Promise(() => {})),
    setTimeout: () => 0, clearTimeout() {},
    crypto: { getRandomValues: (bytes) => bytes },
    AbortController, Event, EventTarget, URL, URLSearchParams,
  });
  const before = new Set(Object.keys(window));
  vm.runInContext(await readFile(classic, 'utf8'), window);
  assert.deepEqual(Object.keys(window).filter((name) => !before.has(name)), ['Letterbox']);
  assert.equal(vm.runInContext('typeof Letterbox.keepAlive + typeof Letterbox.busy', window), 'functionfunction');
  vm.runInContext('var box = new Letterbox({ user: "alice" }); box.on("mail", function () {});', window);
  await new Promise(setImmediate);
  assert.equal(new URL(asked[0]).pathname, '/events');
});

for (const file of [source, module]) {
  test(`${path.basename(file)} exports what its types declare, and nothing else`, async () => {
    assert.deepEqual(Object.keys(await import(file)).sort(), ['Letterbox', 'busy', 'keepAlive']);
  });
}

test('a page in TypeScript is checked against the types', async () => {
  await compile(path.join(here, 'types/sample.ts'));
});

test('the code is right by its own types, and agrees with its declarations', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'letterbox-types-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const declared = source.replace(/js$/, 'd.ts');
  // Next to its declarations the compiler would not look at the code, so the code gets another
  // name.
  await copyFile(declared, path.join(directory, 'letterbox.d.ts'));
  await copyFile(source, path.join(directory, 'code.js'));
  await writeFile(
    path.join(directory, 'agree.ts'),
    `import * as code from './code.js';
     import type * as declared from './letterbox.js';
     const whole: typeof declared = code;
     type Same<A, B> = [keyof A] extends [keyof B] ? ([keyof B] extends [keyof A] ? true : false) : false;
     const names: Same<code.Letterbox, declared.Letterbox> = true;
     console.log(whole, names);`,
  );
  await compile('--allowJs', '--checkJs', path.join(directory, 'code.js'), path.join(directory, 'agree.ts'));
});
