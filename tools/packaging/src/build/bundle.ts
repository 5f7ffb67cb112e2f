import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CodeSplittingNameFunction, type OutputChunk, rolldown } from 'rolldown';
import type { Manifest, Package } from '../packages.ts';
import { keepNames } from './keep-names.ts';

/** The oldest Node that the packages run on. */
const target = 'node20.19';

/**
 * Makes one file of each entry (`dist/a/b.js` is made of `src/a/b.ts`), and chunks of the modules that several need: no
 * module is in two files, so its state and its classes are the same whatever entry they are reached through.
 */
export async function bundle({ folder, manifest }: Package, files: readonly string[]): Promise<void> {
  const input = Object.fromEntries(
    files.map(file => [file.slice('dist/'.length, -'.js'.length), sourceOf(folder, file)]),
  );
  await using build = await rolldown({
    input,
    cwd: folder,
    platform: 'neutral',
    resolve: { conditionNames: ['@ashlar/source', 'import'] }, // for the workspace's own helpers
    external: id => isExternal(id, manifest),
    preserveEntrySignatures: 'strict',
    plugins: [keepNames],
    transform: { target },
    onLog(level, { message }) {
      if (level === 'warn') throw new Error(message);
    },
  });
  const { output } = await build.write({
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    sourcemap: true,
    sourcemapExcludeSources: true, // the sources are published
    comments: { jsdoc: false }, // is in the declarations
    codeSplitting: { groups: [{ name: ofRoot(input['index']!), debugName: 'shared', minShareCount: 2 }] },
    minify: false,
  });
  for (const chunk of output) if (chunk.type === 'chunk') checkNames(chunk);
}

/** What is installed beside the package. The compiler's own helpers and those of the workspace are not, so they become part of it. */
function isExternal(id: string, { dependencies, peerDependencies }: Manifest): boolean {
  if (/^[./]|^@oxc-project\/runtime\//.test(id)) return false;
  const [name = ''] = /^(@[^/]+\/)?[^/]+/.exec(id) ?? [];
  if (name.startsWith('@workspace/')) return false;
  if (/^(node:|#)/.test(id) || name in { ...dependencies, ...peerDependencies }) return true;
  throw new Error(`${id} is imported, and ${name} is no dependency of the package`);
}

function sourceOf(folder: string, file: string): string {
  const source = file.replace(/^dist\//, 'src/').replace(/\.js$/, '.ts');
  if (existsSync(join(folder, source))) return join(folder, source);
  throw new Error(`package.json names ${file}, and there is no ${source} to make it of`);
}

/** The name of an error is that of its class, which a bundler changes where a file has two of that name. */
function checkNames({ fileName, code }: OutputChunk): void {
  const renamed = /^var (\w+\$\d+) = class\b|\bclass (\w+\$\d+)\b/m.exec(code);
  if (renamed === null) return;
  const name = (renamed[1] ?? renamed[2])?.replace(/\$\d+$/, '');
  throw new Error(`two classes named ${name} meet in ${fileName}: give one another name`);
}

/** Puts into one chunk all that the root entry needs and others too: each file more takes the root longer to load. */
function ofRoot(root: string): CodeSplittingNameFunction {
  let needed: Set<string> | undefined;
  return (id, graph) => {
    if (needed === undefined) {
      needed = new Set([root]);
      for (const one of needed)
        for (const other of graph.getModuleInfo(one)?.importedIds ?? []) needed.add(other);
    }
    return needed.has(id) ? 'shared' : null;
  };
}
