import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { markdownFiles, typeErrors } from '../src/index.ts';

const root = resolve(import.meta.dirname, '../../..');
const fixture = (name: string): string => resolve(import.meta.dirname, 'fixtures', name);

test('a type error is told with its file and line, also in a block that is not run', () => {
  expect(typeErrors(root, [fixture('programs.md'), fixture('mistyped.md'), fixture('unending.md')])).toEqual([
    'tools/markdown-tests/test/fixtures/unending.md: line 3: this fence has no end',
    "tools/markdown-tests/test/fixtures/mistyped.md:12:7 Type 'number' is not assignable to type 'string'.",
  ]);
});

test('the code of the READMEs and the documentation type-checks', () => {
  const files = markdownFiles(root);
  expect(files).toContain(resolve(root, 'packages/core/README.md'));
  expect(typeErrors(root, files)).toEqual([]);
}, 180_000);
