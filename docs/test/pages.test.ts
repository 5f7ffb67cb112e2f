import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { markdownFiles } from '@workspace/markdown-tests';
import { expect, test } from 'vitest';

const docs = resolve(import.meta.dirname, '..');
const snippet = /^<<< (?<file>[^#{\s]+)(?:#(?<region>[\w-]+))?/gm;

// VitePress shows a file or region that is not there as text, and goes on
test.each(markdownFiles(docs, ['**/*.md']).map(page => relative(docs, page)))(
  'the code in %s is there',
  page => {
    const path = resolve(docs, page);
    for (const { groups } of readFileSync(path, 'utf8').matchAll(snippet)) {
      const source = readFileSync(resolve(dirname(path), groups?.['file'] ?? ''), 'utf8');
      const region = groups?.['region'];
      if (region === undefined) continue;
      expect(source).toContain(`// #region ${region}\n`);
      expect(source).toContain(`// #endregion ${region}\n`);
    }
  },
);
