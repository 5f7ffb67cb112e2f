import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Package } from '@workspace/packaging';
import { transform } from 'esbuild';
import type { Project } from '../project.ts';
import type { Check } from '../report.ts';

/** Between it and the project, so that what is installed there is found. */
const compiled = 'compiled';

/**
 * Loads every entry of the packages after each of their files was compiled to CommonJS by itself, which is how Jest runs
 * them: what they import is then found by the condition `require`, and there is no `import.meta`.
 */
export async function* compiles(project: Project, packages: readonly Package[]): AsyncIterable<Check> {
  for (const { manifest } of packages) await compile(project.folder, manifest.name);
  const from = JSON.stringify(join(project.folder, compiled, 'program.js'));
  for (const { specifier } of packages.flatMap(one => one.entries.filter(entry => !entry.isJson))) {
    const program = `require('node:module').createRequire(${from})(${JSON.stringify(specifier)})`;
    const { code, stdout, stderr } = await project.node(['--input-type=commonjs', '--eval', program]);
    const faults = code === 0 ? [] : [code === undefined ? 'does not end' : (stderr || stdout).trim()];
    yield { check: `compiled ${specifier}`, faults };
  }
}

async function compile(folder: string, name: string): Promise<void> {
  const source = join(folder, 'node_modules', name);
  const target = join(folder, compiled, 'node_modules', name);
  for (const file of await readdir(source, { recursive: true })) {
    if (!file.endsWith('.js') && file !== 'package.json') continue;
    const text = await readFile(join(source, file), 'utf8');
    await mkdir(dirname(join(target, file)), { recursive: true });
    await writeFile(join(target, file), file === 'package.json' ? ofCommonJs(text) : await asCommonJs(text));
  }
}

function ofCommonJs(manifest: string): string {
  return JSON.stringify({ ...JSON.parse(manifest), type: 'commonjs' });
}

/** What cannot be said in CommonJS throws when it is loaded, as where a compiler leaves it as it is. */
async function asCommonJs(text: string): Promise<string> {
  try {
    const { code } = await transform(text, { format: 'cjs', logLevel: 'silent' });
    const isOfModules = /^const import_meta = \{\};$/m.test(code); // esbuild warns of it, but not in a `try`
    return isOfModules ? throwing("Cannot use 'import.meta' outside a module") : code;
  } catch (error) {
    return throwing(error instanceof Error ? error.message : String(error));
  }
}

function throwing(message: string): string {
  return `throw new SyntaxError(${JSON.stringify(message)});`;
}
