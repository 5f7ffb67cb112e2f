import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Package } from '@workspace/packaging';
import type { Project } from './project.ts';
import type { Check } from './report.ts';

const compilerMs = 120_000;
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');

/** How an application with this `moduleResolution` compiles: strict, and the packages' declarations too. */
const resolutions = [
  { moduleResolution: 'nodenext', module: 'nodenext' },
  { moduleResolution: 'bundler', module: 'esnext' },
];

/** Type-checks a program that imports every entry, and those given, once for each way to resolve modules. */
export async function* typeChecks(
  project: Project,
  packages: readonly Package[],
  programs: readonly string[],
): AsyncIterable<Check> {
  const specifiers = packages
    .flatMap(one => one.entries.filter(entry => !entry.isJson))
    .map(entry => entry.specifier);
  const lines = specifiers.map((specifier, n) => `export * as entry${n} from ${JSON.stringify(specifier)};`);
  await project.write('every-entry.mts', `${lines.join('\n')}\n`);
  for (const resolution of resolutions) {
    const config = `tsconfig.${resolution.moduleResolution}.json`;
    const compilerOptions = {
      ...resolution,
      target: 'es2023',
      lib: ['es2023', 'esnext.disposable'],
      types: ['node'],
      strict: true,
      skipLibCheck: false,
      noEmit: true,
    };
    await project.write(config, JSON.stringify({ compilerOptions, files: ['every-entry.mts', ...programs] }));
    const args = [compiler, '-p', join(project.folder, config), '--pretty', 'false'];
    const { code, stdout, stderr } = await project.node(args, compilerMs);
    yield {
      check: `types with moduleResolution ${resolution.moduleResolution}`,
      faults: code === 0 ? [] : [(stdout + stderr).trim() || 'the compiler did not end in time'],
    };
  }
}
