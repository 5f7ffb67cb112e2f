import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const folder = resolve(import.meta.dirname, '../examples');
const programs = readdirSync(folder).filter(file => file !== 'jest.config.cjs');
const flags = ['--import', 'tsx', '--conditions', '@ashlar/source'];

/** A comment behind `console.log` says what it prints. */
const printed = /console\.log\(.*\); \/\/ (.*)$/gm;

test.each(programs)('%s prints what its comments say', file => run(file));

test('cache-express.ts prints the same under Express 4', () => {
  return run('cache-express.ts', ['--import', resolve(import.meta.dirname, 'express-4.mjs')]);
});

async function run(file: string, more: readonly string[] = []): Promise<void> {
  const path = resolve(folder, file);
  const expected = Array.from(readFileSync(path, 'utf8').matchAll(printed), ([, comment]) => comment);
  expect(expected).not.toEqual([]);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...flags, ...more, path], {
    timeout: 25_000,
    env: { ...process.env, TSX_TSCONFIG_PATH: resolve(folder, '../tsconfig.json') },
  });
  expect(stdout.trimEnd().split('\n')).toEqual(expected);
  expect(stderr).toBe('');
}
