import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadWorkload } from '../../src/workload/load-workload.ts';
import { readTrace } from '../../src/workload/read-trace.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'storefront-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.each([
  ['plain', (text: string) => text],
  ['gzip', (text: string) => gzipSync(text)],
])('reads the keys of a trace as text, and stops at the limit: %s', async (name, pack) => {
  const file = join(folder, name);
  const keys = ['007', 'straße', ...Array.from({ length: 200_000 }, (_, at) => `${at}`)];
  await writeFile(file, pack(keys.join('\n')));
  expect((await readTrace(file, 1)).keys).toEqual(['007']);
  expect((await readTrace(file, 150_000)).keys).toEqual(keys.slice(0, 150_000));
  expect(await readTrace(file)).toEqual({ format: 'keys', keys, badLines: 0, skippedLines: 0 });
});

it('is for the replay first, and for the warm-up what is before that', async () => {
  const trace = join(folder, 'short');
  await writeFile(trace, 'a\nb\nc\nd\ne\n');
  const workload = async (requests: number, warmUp: number) => {
    const { keys, warmUp: before } = await loadWorkload({ source: { trace }, requests, warmUp, seed: 1 });
    return [before.join(''), keys.join('')];
  };
  expect(await workload(2, 0)).toEqual(['', 'ab']);
  expect(await workload(2, 2)).toEqual(['ab', 'cd']);
  expect(await workload(2, 9)).toEqual(['abc', 'de']);
  expect(await workload(9, 9)).toEqual(['', 'abcde']);
  expect(await workload(Infinity, 0)).toEqual(['', 'abcde']);
});

it('leaves out what is no name in a path', async () => {
  const file = join(folder, 'dots');
  await writeFile(file, '..\na\n.\n...\n');
  expect(await readTrace(file)).toMatchObject({ keys: ['a', '...'], badLines: 2 });
});
