import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { programArgs } from '@workspace/faults';
import { expect } from 'vitest';

export const examples: string = resolve(import.meta.dirname, '../../examples');

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
  const args = [...nodeFlags, ...(path.endsWith('.ts') ? programArgs(pathToFileURL(path)) : asItIs(path))];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
    timeout: 50_000,
    env: { ...process.env, ...env },
  });
  expect(stdout.trimEnd().split('\n')).toEqual(expected);
  expect(stderr).toBe('');
}

/** It is plain JavaScript, and of the packages it loads the sources. */
function asItIs(path: string): string[] {
  return ['--import', 'tsx', '--conditions', '@ashlar/source', path];
}
