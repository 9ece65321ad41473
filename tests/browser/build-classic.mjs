// SPDX-License-Identifier: MIT
//
// Makes nginx/www/letterbox.classic.js, for pages that load scripts without type="module". It is
// kept beside its source so that nobody needs node to deploy. With --check it writes nothing, and
// fails where the file is not what would be made.

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const www = fileURLToPath(new URL('../../nginx/www/', import.meta.url));
export const source = `${www}letterbox.js`;
export const classic = `${www}letterbox.classic.js`;

/** The oldest browsers that have what the client calls, `addEventListener` with a signal for one: those of 2021. */
export const target = ['chrome91', 'firefox90', 'safari15'];

const banner = `// SPDX-License-Identifier: MIT
// Made of letterbox.js by build-classic.mjs`;

/** The script: one global, Letterbox, which has keepAlive and busy as members. */
export async function bundle({ minify = true } = {}) {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { Letterbox, keepAlive, busy } from './letterbox.js';
        globalThis.Letterbox = Object.assign(Letterbox, { keepAlive, busy });`,
      resolveDir: www,
    },
    bundle: true,
    format: 'iife',
    target,
    minify,
    legalComments: 'none',
    banner: { js: banner },
    write: false,
  });
  return outputFiles[0].text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const made = await bundle();
  if (!process.argv.includes('--check')) await writeFile(classic, made);
  else if ((await readFile(classic, 'utf8').catch(() => '')) !== made) {
    console.error('nginx/www/letterbox.classic.js is not made of the present letterbox.js: run node tests/browser/build-classic.mjs');
    process.exitCode = 1;
  }
}
