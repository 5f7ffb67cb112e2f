import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { filesOf, readPackage } from '../packages.ts';
import { bundle } from './bundle.ts';
import { declare } from './declare.ts';

/**
 * Builds the `dist` of the package in `folder`, anew: each file that its `exports`, `imports` and `bin` name, the chunks
 * that those share, source maps and declarations. Rejects with what is wrong.
 */
export async function buildPackage(folder: string): Promise<void> {
  const one = readPackage(folder);
  const { manifest, named } = one;
  const files = named.filter(file => file.startsWith('dist/') && file.endsWith('.js'));
  await rm(join(folder, 'dist'), { recursive: true, force: true });
  await bundle(one, files);
  await declare(folder, manifest.imports ?? {});
  const programs = filesOf(manifest.bin ?? {});
  await Promise.all(programs.map(program => chmod(join(folder, program), 0o755)));
}
