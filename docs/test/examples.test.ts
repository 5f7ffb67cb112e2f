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

test.each(programs)('%s prints what its comments say', async file => {
  const path = resolve(folder, file);
  const expected = Array.from(readFileSync(path, 'utf8').matchAll(printed), ([, comment]) => comment);
  expect(expected).not.toEqual([]);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...flags, path], {
    timeout: 25_000,
  });
  expect(stdout.trimEnd().split('\n')).toEqual(expected);
  expect(stderr).toBe('');
});
