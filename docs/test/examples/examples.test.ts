import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'vitest';
import { examples, runExample } from './run-example.ts';

const programs = readdirSync(examples, { withFileTypes: true })
  .filter(entry => entry.isFile() && entry.name !== 'jest.config.cjs')
  .map(({ name }) => name);

test.each(programs)('%s prints what its comments say', file => runExample(file));

test('cache-express.ts prints the same under Express 4', () => {
  return runExample('cache-express.ts', {
    nodeFlags: ['--import', resolve(import.meta.dirname, 'express-4.mjs')],
  });
});
