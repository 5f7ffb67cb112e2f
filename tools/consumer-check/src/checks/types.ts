import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Package } from '@workspace/packaging';
import type { Project } from '../project.ts';
import type { Check } from '../report.ts';

const compilerMs = 120_000;
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');

interface Way {
  readonly moduleResolution: string;
  readonly module: string;
  /** The kind of the program's file: of an ES module, of CommonJS, or of either. */
  readonly extension: 'mts' | 'cts' | 'ts';
}

/** How an application compiles: strict, and the packages' declarations too. */
const ways: readonly Way[] = [
  { moduleResolution: 'nodenext', module: 'nodenext', extension: 'mts' },
  { moduleResolution: 'nodenext', module: 'nodenext', extension: 'cts' },
  { moduleResolution: 'bundler', module: 'esnext', extension: 'mts' },
];

/** The same with a TypeScript that does not know `require` of ES modules. */
const olderWays: readonly Way[] = [
  { moduleResolution: 'nodenext', module: 'nodenext', extension: 'mts' },
  { moduleResolution: 'node10', module: 'commonjs', extension: 'ts' },
];

/**
 * Type-checks a program that imports every entry, once for each way to compile; as ES modules, those given too.
 * `older` is the version of the TypeScript that the project itself has, if any.
 */
export async function* typeChecks(
  project: Project,
  packages: readonly Package[],
  programs: readonly string[],
  older: string | undefined,
): AsyncIterable<Check> {
  const specifiers = packages
    .flatMap(one => one.entries.filter(entry => !entry.isJson))
    .map(entry => entry.specifier);
  const lines = specifiers.map((specifier, n) => `export * as entry${n} from ${JSON.stringify(specifier)};`);
  for (const extension of ['mts', 'cts', 'ts'])
    await project.write(`every-entry.${extension}`, `${lines.join('\n')}\n`);
  for (const way of ways) {
    yield { check: `types ${nameOf(way)}`, faults: await faultsOf(project, compiler, way, programs) };
  }
  if (older === undefined) return;
  const olderCompiler = join(project.folder, 'node_modules/typescript/bin/tsc');
  for (const way of olderWays) {
    const faults = await faultsOf(project, olderCompiler, way, []);
    yield { check: `types of TypeScript ${older} ${nameOf(way)}`, faults };
  }
}

function nameOf({ moduleResolution, extension }: Way): string {
  return `with moduleResolution ${moduleResolution}${extension === 'mts' ? '' : ', in CommonJS'}`;
}

async function faultsOf(
  project: Project,
  tsc: string,
  { extension, ...resolution }: Way,
  programs: readonly string[],
): Promise<string[]> {
  const compilerOptions = {
    ...resolution,
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  };
  const files = [`every-entry.${extension}`, ...(extension === 'mts' ? programs : [])];
  const config = 'tsconfig.check.json';
  await project.write(config, JSON.stringify({ compilerOptions, files }));
  const args = [tsc, '-p', join(project.folder, config), '--pretty', 'false'];
  const { code, stdout, stderr } = await project.node(args, compilerMs);
  return code === 0 ? [] : [(stdout + stderr).trim() || 'the compiler did not end in time'];
}
