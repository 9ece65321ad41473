// SPDX-License-Identifier: MIT
//
// Makes of nginx/www/letterbox.js what is minified: letterbox.min.js, the same module, and
// letterbox.classic.js, for pages that load scripts without type="module". They are kept next to
// their source so that a deployment needs no node. With --check it writes nothing, and fails if a
// file is not what it would make.

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const www = fileURLToPath(new URL('../../nginx/www/', import.meta.url));
export const source = `${www}letterbox.js`;
export const module = `${www}letterbox.min.js`;
export const classic = `${www}letterbox.classic.js`;

/** The oldest browsers that have what the client calls, `addEventListener` with a signal for one: those of 2021. */
export const target = ['chrome91', 'firefox90', 'safari15'];

const banner = `// SPDX-License-Identifier: MIT
// Made of letterbox.js by make client`;

async function bundle(contents, options) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: www },
    bundle: true,
    target,
    minify: true,
    legalComments: 'none',
    banner: { js: banner },
    write: false,
    ...options,
  });
  return outputFiles[0].text;
}

/** The script: one global, Letterbox, which has keepAlive and busy as members. */
export const makeClassic = ({ minify = true } = {}) =>
  bundle(
    `import { Letterbox, keepAlive, busy } from './letterbox.js';
     globalThis.Letterbox = Object.assign(Letterbox, { keepAlive, busy });`,
    { format: 'iife', minify },
  );

/** The module, with the exports of its source. */
export const makeModule = () => bundle("export * from './letterbox.js';", { format: 'esm' });

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, made] of [[module, await makeModule()], [classic, await makeClassic()]]) {
    if (!process.argv.includes('--check')) await writeFile(file, made);
    else if ((await readFile(file, 'utf8').catch(() => '')) !== made) {
      console.error(`${file} is not made from the present letterbox.js: run make client`);
      process.exitCode = 1;
    }
  }
}
