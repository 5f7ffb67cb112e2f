import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';

export const examples: string = resolve(import.meta.dirname, '../../examples');
const flags = ['--import', 'tsx', '--conditions', '@ashlar/source'];

/** A comment behind `console.log` says what it prints. */
const printed = /console\.log\(.*\); \/\/ (.*)$/gm;

/** Runs a program of the pages, and compares what it prints with what its comments say. */
export async function runExample(
  file: string,
  {
    nodeFlags = [],
    env = {},
  }: { nodeFlags?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const path = resolve(examples, file);
  const expected = Array.from(readFileSync(path, 'utf8').matchAll(printed), ([, comment]) => comment);
  expect(expected).not.toEqual([]);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...flags, ...nodeFlags, path], {
    timeout: 50_000,
    env: { ...process.env, TSX_TSCONFIG_PATH: resolve(examples, '../../tsconfig.json'), ...env },
  });
  expect(stdout.trimEnd().split('\n')).toEqual(expected);
  expect(stderr).toBe('');
}
