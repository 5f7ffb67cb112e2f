import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
const biome = createRequire(join(root, 'package.json')).resolve('@biomejs/biome/bin/biome');
const folder = mkdtempSync(join(tmpdir(), 'lint-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Finding {
  readonly category: string;
  readonly location: { readonly path: string };
}

/** What the linter of this workspace says of files in a project of their own: rule and file, in order. */
function lint(files: Record<string, string>): string[] {
  const project = mkdtempSync(join(folder, 'project-'));
  for (const file of ['biome.json', 'tools/lint/import-types.grit'])
    cpSync(join(root, file), join(project, file));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(project, file)), { recursive: true });
    writeFileSync(join(project, file), text);
  }
  const args = [biome, 'lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', '.'];
  const { diagnostics } = JSON.parse(outputOf(args, project)) as { readonly diagnostics: readonly Finding[] };
  return diagnostics.map(({ category, location }) => `${category} ${location.path}`).sort();
}

function outputOf(args: readonly string[], cwd: string): string {
  try {
    return execFileSync(process.execPath, args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (error) {
    return (error as { readonly stdout: string }).stdout; // it found something
  }
}

it('finds circles of imports wherever they are, types counted', () => {
  const places = [
    'packages/lb/src',
    'packages/lb/bench',
    'packages/store/faults',
    'tools/bench/test',
    'docs/examples',
  ];
  const files = places.flatMap(place => [
    [`${place}/a.ts`, "import type { B } from './b.ts';\nexport interface A {\n  b?: B;\n}\n"],
    [`${place}/b.ts`, "import type { C } from './c.ts';\nexport interface B {\n  c?: C;\n}\n"],
    [`${place}/c.ts`, "export type { A as C } from './a.ts';\n"],
  ]);
  const found = files.map(([file]) => `lint/suspicious/noImportCycles ${file}`).sort();
  expect(lint(Object.fromEntries(files))).toEqual(found);
});

it('finds a type that is imported where the rules on imports do not look', () => {
  const found = lint({ 'packages/lb/src/a.ts': "export type B = import('./b.ts').B;\n" });
  expect(found).toEqual(['plugin packages/lb/src/a.ts']);
});

it('finds imports that point up or aside, or from an engine to an adapter', () => {
  const wrong: Record<string, string> = {
    'core/src/a.ts': '@ashlar/store',
    'hash-ring/src/a.ts': '@ashlar/store',
    'store/src/a.ts': '@ashlar/hash-ring',
    'store/src/adapters/b.ts': '@ashlar/lb/proxy',
    'lb/src/a.ts': '@ashlar/cache-policies',
    'queue/src/a.ts': '@ashlar/lb',
    'cache-policies/src/a.ts': '@ashlar/shard-router',
    'shard-router/src/a.ts': '@ashlar/replica-failover',
    'lb/src/b.ts': './adapters/undici.ts',
    'inspector/src/room/a.ts': '../adapters/express.ts',
  };
  const files = Object.entries(wrong).map(([file, specifier]) => [
    `packages/${file}`,
    `import type { A } from '${specifier}';\nexport type B = A;\n`,
  ]);
  const found = files.map(([file]) => `lint/style/noRestrictedImports ${file}`).sort();
  expect(lint(Object.fromEntries(files))).toEqual(found);
});

it('lets imports pass that point down, and adapters have parts', () => {
  const down: Record<string, string[]> = {
    store: ['@ashlar/core', '@ashlar/core/testing'],
    lb: ['@ashlar/core', '@ashlar/hash-ring', '@ashlar/store/conformance'],
    'cron-precompute': ['@ashlar/core', '@ashlar/store', '@ashlar/cache-policies', '@ashlar/queue'],
  };
  const files = Object.entries(down).map(([name, specifiers]) => [
    `packages/${name}/src/adapters/redis.ts`,
    [...specifiers, './redis/parts.ts', '../engine.ts']
      .map((specifier, i) => `export type { A as A${i} } from '${specifier}';\n`)
      .join(''),
  ]);
  expect(lint(Object.fromEntries(files))).toEqual([]);
});
