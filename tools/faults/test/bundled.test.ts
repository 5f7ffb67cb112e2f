import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { beforeEach, expect, it } from 'vitest';
import { bundled } from '../src/programs/bundled.mjs';

let folder: string;
let kept: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ashlar-bundled-'));
  kept = join(folder, 'kept');
  return () => rm(folder, { recursive: true });
});

/** Writes a source that is as old as it says. */
async function source(name: string, text: string, hoursAgo = 1): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  const at = Date.now() / 1_000 - hoursAgo * 3_600;
  await utimes(path, at, at);
  return path;
}

/** What Node finds exported, without the tools that tests have, in the file that is made of the program. */
async function exported(program: string): Promise<{ file: string; told: unknown }> {
  const file = await bundled(program, kept);
  const reader = `import(process.argv[1]).then(({ told }) => console.log(JSON.stringify(told)))`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', reader, pathToFileURL(file).href]);
  return { file, told: JSON.parse(stdout) };
}

it('a program is one file, which is kept until one of its sources changes', async () => {
  const program = await source(
    'program.ts',
    "import { n } from './part.ts'; export const told: number = n;",
    2,
  );
  await source('part.ts', 'export const n: number = 1;', 2);
  const first = await exported(program);
  expect(first.told).toBe(1);
  expect(await exported(program)).toEqual(first);
  await source('part.ts', 'export const n: number = 2;');
  const second = await exported(program);
  expect(second.told).toBe(2);
  expect((await readdir(kept)).filter(name => name.endsWith('.mjs'))).toHaveLength(1);
});

it('nothing is kept of a source that is written while it is read', async () => {
  const program = await source('program.ts', 'export const told: number = 1;', -1);
  expect((await exported(program)).told).toBe(1);
  await source('program.ts', 'export const told: number = 2;', -1);
  expect((await exported(program)).told).toBe(2);
  expect((await readdir(kept)).filter(name => name.endsWith('.json'))).toEqual([]);
});

it('sources know where they are, and classes what they are called', async () => {
  const program = await source(
    'program.ts',
    "import { Same as Other } from './part.ts'; class Same {} export const told: string[] = [Same.name, Other.name, Other.place];",
  );
  const part = await source('part.ts', 'export class Same { static place: string = import.meta.url; }');
  const { told } = await exported(program);
  expect(told).toEqual(['Same', 'Same', pathToFileURL(part).href]);
});

it('a program may be written in what this Node does not know yet', async () => {
  const program = await source(
    'program.ts',
    `export const told: string[] = [];
    { await using one = { async [Symbol.asyncDispose]() { told.push('ended'); } }; }`,
  );
  expect((await exported(program)).told).toEqual(['ended']);
});
