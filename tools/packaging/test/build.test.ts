import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { buildPackage } from '../src/index.ts';
import { folderWith } from './scratch.ts';

const run = promisify(execFile);

const manifest = {
  name: 'fixture',
  version: '1.0.0',
  type: 'module',
  sideEffects: false,
  bin: { fixture: './dist/cli/main.js' },
  exports: {
    '.': { '@ashlar/source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' },
    './backend': {
      '@ashlar/source': './src/adapters/backend.ts',
      types: './dist/adapters/backend.d.ts',
      default: './dist/adapters/backend.js',
    },
    './package.json': './package.json',
  },
  imports: { '#client': { types: 'node:os', default: './dist/adapters/client.js' } },
};

const compilerOptions = {
  ...{ rootDir: 'src', outDir: 'dist', types: [], declaration: true },
  ...{ target: 'es2023', lib: ['es2023', 'esnext.disposable'] },
  ...{ module: 'nodenext', rewriteRelativeImportExtensions: true },
};

const sources = {
  'src/index.ts': `
    export { count, counted } from './counting.ts';
    export { NoSuchThingError } from './errors.ts';
    export { lone } from './lone.ts';
  `,
  'src/counting.ts':
    'let so = 0;\nexport const count = (): number => ++so;\nexport const counted = (): number => so;',
  'src/errors.ts': `export class NoSuchThingError extends Error {
    static readonly code: string = 'NO_SUCH_THING';
    constructor() { super('no such thing'); this.name = new.target.name; }
  }`,
  'src/lone.ts': "/** That's promised. */\nexport const lone: string = 'lone';",
  'src/adapters/backend.ts': `
    import { EOL } from '#client';
    import { count } from '../counting.ts';
    import { NoSuchThingError } from '../errors.ts';
    export function fail(): never { count(); throw new NoSuchThingError(); }
    export const end: string = EOL;
    export function dispose(): void { using _ = { [Symbol.dispose]: count }; }
    export type { UserInfo } from '#client';
  `,
  'src/adapters/client.ts': "export const EOL: string = 'end';\nexport type UserInfo = never;",
  'src/cli/main.ts': `#!/usr/bin/env node
    import { lone } from '../lone.ts';
    declare const console: { log(text: string): void };
    console.log(lone);
  `,
};

function fixture(changed: Readonly<Record<string, string>> = {}): Promise<string> {
  return folderWith({
    'package.json': manifest,
    'tsconfig.build.json': { compilerOptions, include: ['src'] },
    ...sources,
    ...changed,
  });
}

let folder: string;

beforeAll(async () => {
  folder = await fixture();
  await buildPackage(folder);
});

afterAll(() => rm(folder, { recursive: true }));

test('makes what package.json names, and what is there is the same through every entry', async () => {
  const program = `
    const { fail, end } = require('fixture/backend');
    const { counted, NoSuchThingError } = require('fixture');
    try { fail(); } catch (error) {
      console.log(error instanceof NoSuchThingError, error.name, counted(), end);
    }`;
  const { stdout } = await run(process.execPath, ['--input-type=commonjs', '--eval', program], {
    cwd: folder,
  });
  expect(stdout).toBe('true NoSuchThingError 1 end\n');
  expect((await run(join(folder, 'dist/cli/main.js'))).stdout).toBe('lone\n');

  const declared = await readFile(join(folder, 'dist/lone.d.ts'), 'utf8');
  expect(declared).toContain("/** That's promised. */");
  // not every TypeScript reads `imports`
  expect(await readFile(join(folder, 'dist/adapters/backend.d.ts'), 'utf8')).toContain("from 'node:os'");
});

test('an error keeps its name in a bundle that is minified', async () => {
  await using build = await rolldown({
    input: join(folder, 'dist/index.js'),
    cwd: folder,
    platform: 'node',
  });
  const { output } = await build.generate({ format: 'esm', minify: true });
  expect(output[0].code).not.toContain('class NoSuchThingError');
  const module = `data:text/javascript,${encodeURIComponent(output[0].code)}`;
  const program = `
    import { NoSuchThingError } from ${JSON.stringify(module)};
    class Other extends NoSuchThingError {}
    console.log(new NoSuchThingError().name, new Other().name);`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program]);
  expect(stdout).toBe('NoSuchThingError Other\n');
});

test('the root loads one chunk beside itself, with all that it shares', async () => {
  const chunks = await readdir(join(folder, 'dist/chunks'));
  const root = await readFile(join(folder, 'dist/index.js'), 'utf8');
  const [chunk, ...others] = chunks.filter(name => root.includes(`./chunks/${name}`));
  expect(others).toEqual([]);
  const shared = await readFile(join(folder, 'dist/chunks', chunk!), 'utf8');
  for (const name of ['NoSuchThingError', 'counted', 'lone']) expect(shared).toContain(name);
});

test('source maps name the published sources, and do not repeat them', async () => {
  const file = join(folder, 'dist/adapters/backend.js.map');
  const map = JSON.parse(await readFile(file, 'utf8'));
  expect(map.sources.map((source: string) => resolve(file, '..', source))).toEqual([
    join(folder, 'src/adapters/backend.ts'),
  ]);
  expect(map.sourcesContent?.some(Boolean) ?? false).toBe(false);
});

test('nothing of an earlier build stays', async () => {
  await writeFile(join(folder, 'dist/stale.js'), '');
  await buildPackage(folder);
  expect(await readdir(join(folder, 'dist'))).not.toContain('stale.js');
});

test.each([
  [
    'a file without source',
    { 'package.json': JSON.stringify({ ...manifest, bin: './dist/gone.js' }) },
    'package.json names dist/gone.js, and there is no src/gone.ts to make it of',
  ],
  [
    'what would not be installed',
    { 'src/lone.ts': "export { parse as lone } from 'no-dependency/parse';" },
    'no-dependency/parse is imported, and no-dependency is no dependency of the package',
  ],
  [
    'a type error',
    { 'src/lone.ts': 'export const lone: string = 1;' },
    /src\/lone\.ts\(1,14\): error TS2322/,
  ],
  [
    'two errors that would not both have their name',
    {
      'src/index.ts': `
        import { NoSuchThingError as Other } from './lone.ts';
        export { NoSuchThingError } from './errors.ts';
        export const lone: object = new Other();
      `,
      'src/lone.ts': "export const lone: string = 'lone';\nexport class NoSuchThingError {}",
    },
    /^two classes named NoSuchThingError meet in chunks\/shared-.+: give one another name$/,
  ],
])('refuses %s', async (_, changed, message) => {
  const wrong = await fixture(changed);
  onTestFinished(() => rm(wrong, { recursive: true }));
  await expect(buildPackage(wrong)).rejects.toThrow(message);
});
