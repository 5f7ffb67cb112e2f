import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'vitest';
import { examples, runExample } from './run-example.ts';

const programs = readdirSync(examples, { recursive: true, encoding: 'utf8' })
  .filter(path => /\.[cm]?[jt]s$/.test(path) && !/^servers\b|\bjest\.config\b/.test(path))
  .sort();

test.each(programs)('%s prints what its comments say', file => runExample(file));

test('cache-policies/express.ts prints the same under Express 4', () => {
  return runExample('cache-policies/express.ts', {
    nodeFlags: ['--import', resolve(import.meta.dirname, 'express-4.mjs')],
  });
});
