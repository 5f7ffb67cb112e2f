import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { completeManifests, manifestFaults, reasonNotToRelease } from '../src/index.ts';
import { folderWith } from './scratch.ts';

const readme = `# One

See [two](../two/README.md#how), [its folder](../two), [the site](https://example.com/docs) and [below](#below).

[reference]: bench/RESULTS.md
`;

let root: string;

async function read(file: string): Promise<string> {
  return readFile(join(root, file), 'utf8');
}

async function moveTo(url: string): Promise<void> {
  const workspace = { author: 'The makers', repository: { type: 'git', url } };
  await writeFile(join(root, 'package.json'), JSON.stringify(workspace));
}

beforeEach(async () => {
  root = await folderWith({
    'packages/one/package.json': {
      ...{ name: '@fixture/one', version: '1.0.0', keywords: ['one'], type: 'module' },
      exports: {
        '.': { '@ashlar/source': './src/index.ts' },
        './redis': { '@ashlar/source': './src/adapters/redis.ts' },
        './package.json': './package.json',
      },
    },
    'packages/one/README.md': readme,
    'packages/one/bench/RESULTS.md': '',
    'packages/two/package.json': { name: '@fixture/two', private: true },
    'packages/two/README.md': '',
  });
  onTestFinished(() => rm(root, { recursive: true }));
  await moveTo('git+https://github.com/makers/things.git');
});

test('a manifest gets what follows from its exports and from the workspace', async () => {
  completeManifests(root);
  expect(JSON.parse(await read('packages/one/package.json'))).toEqual({
    ...{ name: '@fixture/one', version: '1.0.0', keywords: ['one'], author: 'The makers' },
    repository: { type: 'git', url: 'git+https://github.com/makers/things.git', directory: 'packages/one' },
    homepage: 'https://github.com/makers/things/tree/main/packages/one#readme',
    bugs: { url: 'https://github.com/makers/things/issues' },
    type: 'module',
    main: './dist/index.js',
    types: './dist/index.d.ts',
    typesVersions: { '*': { redis: ['./dist/adapters/redis.d.ts'] } },
    exports: {
      '.': { '@ashlar/source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' },
      './redis': {
        '@ashlar/source': './src/adapters/redis.ts',
        types: './dist/adapters/redis.d.ts',
        default: './dist/adapters/redis.js',
      },
      './package.json': './package.json',
    },
  });
  expect(manifestFaults(root)).toEqual([]);
});

test('the links of a README work without the files beside it, and follow the repository', async () => {
  const expected = (web: string): string =>
    readme
      .replace('../two/README.md', `${web}/blob/main/packages/two/README.md`)
      .replace('(../two)', `(${web}/tree/main/packages/two)`)
      .replace('bench/RESULTS.md', `${web}/blob/main/packages/one/bench/RESULTS.md`);
  completeManifests(root);
  expect(await read('packages/one/README.md')).toBe(expected('https://github.com/makers/things'));

  await moveTo('git+https://git.example/others/things.git');
  expect(manifestFaults(root)).toEqual([
    'packages/one/package.json is out of date: run `npm run manifests -- --write`',
    'packages/one/README.md is out of date: run `npm run manifests -- --write`',
  ]);
  completeManifests(root);
  expect(await read('packages/one/README.md')).toBe(expected('https://git.example/others/things'));
  expect(manifestFaults(root)).toEqual([]);
});

test('a link to what is not published is out of order, and so is one to what is not there', async () => {
  completeManifests(root);
  const file = join(root, 'packages/one/README.md');
  await writeFile(file, '[results](bench/RESULTS.md)');
  expect(manifestFaults(root)).toEqual([
    'packages/one/README.md is out of date: run `npm run manifests -- --write`',
  ]);
  const gone = 'https://github.com/makers/things/blob/main/packages/one/gone.md';
  await writeFile(file, `[gone](${gone}#here)`);
  expect(manifestFaults(root)).toEqual([`packages/one/README.md links ${gone}#here, where nothing is`]);
});

test('a package without keywords is out of order', async () => {
  completeManifests(root);
  const manifest = JSON.parse(await read('packages/one/package.json'));
  const { keywords: _, ...others } = manifest;
  await writeFile(join(root, 'packages/one/package.json'), `${JSON.stringify(others, null, 2)}\n`);
  expect(manifestFaults(root)).toEqual(['packages/one/package.json has no `keywords`']);
});

test('nothing is released from an address that cannot be', async () => {
  expect(reasonNotToRelease(root)).toBeUndefined();
  await moveTo('git+https://github.invalid/makers/things.git');
  expect(reasonNotToRelease(root)).toMatch(/^git\+https:\/\/github\.invalid\/\S+ is a placeholder: put /);
});

test('the packages of this workspace are in order', () => {
  expect(manifestFaults(resolve(import.meta.dirname, '../../..'))).toEqual([]);
});
