import { join } from 'node:path';
import type { Package } from '@workspace/packaging';
import { npm } from './run.ts';

export interface Tarball {
  readonly path: string;
  readonly files: readonly string[];
}

/** What may be in a tarball; everything else is a mistake in `files`. */
const allowed = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/.+\.(js|d\.ts)(\.map)?|src\/.+\.ts)$/;
const neverPublished = /(^|\/)(test|bench|faults|fixtures)\/|\.test\.|tsconfig/;

/** What npm shows of a package, and what installers and bundlers go by. */
const demandedFields = ['description', 'license', 'engines', 'files', 'exports', 'sideEffects'];

export async function pack(one: Package, into: string, signal: AbortSignal): Promise<Tarball> {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', into];
  const printed: unknown = JSON.parse(await npm(args, { cwd: one.folder, signal }));
  // an array until npm 11, from npm 12 on an object keyed by the package's name
  const [packed] = Object.values(printed as Record<string, { filename: string; files: { path: string }[] }>);
  if (packed === undefined) throw new Error(`npm pack made nothing of ${one.folder}`);
  return { path: join(into, packed.filename), files: packed.files.map(file => file.path) };
}

/** What is wrong with the list of files of a tarball, or with its manifest; one line each. */
export function faultsOf({ manifest, named }: Package, files: readonly string[]): string[] {
  const there = new Set(files);
  return [
    ...['README.md', 'LICENSE'].filter(file => !there.has(file)).map(file => `${file} is missing`),
    ...named
      .filter(file => !there.has(file))
      .map(file => `${file}, which package.json names, is missing (is it built?)`),
    ...files
      .filter(file => !allowed.test(file) || neverPublished.test(file))
      .map(file => `${file} should not be published`),
    ...files
      .filter(file => file.startsWith('dist/') && !isBuilt(file, there, named))
      .map(file => `${file} is left from a source that is gone: build again`),
    ...demandedFields
      .filter(field => manifest[field] === undefined)
      .map(field => `package.json has no \`${field}\``),
  ];
}

/** A declaration is made of each source; a file with code of each that package.json names, the chunks aside. */
function isBuilt(file: string, files: ReadonlySet<string>, named: readonly string[]): boolean {
  const [, path, kind] = /^dist\/(.+?)(\.d\.ts|\.js)(\.map)?$/.exec(file) ?? [];
  if (kind === '.d.ts') return files.has(`src/${path}.ts`);
  return path?.startsWith('chunks/') === true || named.includes(`dist/${path}.js`);
}
