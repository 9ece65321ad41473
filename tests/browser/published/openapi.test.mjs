// SPDX-License-Identifier: MIT
//
// fcgi/openapi.yaml is OpenAPI, by the linter that its users have. (What it says is held against
// the code, PROTOCOL.md and every answer in tests/e2e.)

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createConfig, lintFromString } from '@redocly/openapi-core';

const file = fileURLToPath(new URL('../../../fcgi/openapi.yaml', import.meta.url));
const source = await readFile(file, 'utf8');
const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    'no-invalid-media-type-examples': { severity: 'error', allowAdditionalProperties: false },
    'no-invalid-schema-examples': 'error',
    'no-invalid-parameter-examples': 'error',
  },
});

/** What is wrong with a document: `rule: message, place`. */
async function problems(document) {
  const found = await lintFromString({ source: document, absoluteRef: file, config });
  return found
    .map(({ ruleId, message, location: [{ pointer }] }) => ({ ruleId, pointer, text: `${ruleId}: ${message}, ${pointer}` }))
    // The linter does not look into x-events.
    .filter(({ ruleId, pointer }) => ruleId !== 'no-unused-components' || !document.includes(`{$ref: '${pointer}'}`))
    .map(({ text }) => text);
}

test('openapi.yaml is valid OpenAPI 3.1, each of its examples fits its schema, and no component is idle', async () => {
  assert.match(source, /^openapi: 3\.1\.0$/m);
  assert.deepEqual(await problems(source), []);
});

for (const [what, old, other] of [
  ['a field that OpenAPI does not have', '      operationId: poll\n', '      operationID: poll\n'],
  ['an example that its schema refuses', 'example: {"acknowledged":"1795287654123-2"}', 'example: {"acknowledged":2}'],
  ['a reference to nothing', "{$ref: '#/components/parameters/Limit'}", "{$ref: '#/components/parameters/Most'}"],
  ['a name in a path that no parameter describes', '  /groups/{group}:\n', '  /groups/{team}:\n'],
]) {
  test(`${what} is found`, async () => {
    assert.ok(source.includes(old));
    assert.notDeepEqual(await problems(source.replace(old, other)), []);
  });
}
