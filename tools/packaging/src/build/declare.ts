import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Targets } from '../packages.ts';

const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');

/**
 * Checks the types of the package and writes its declarations, which name what `imports` stands for, as not every
 * TypeScript reads it. Rejects with the compiler's errors.
 */
export async function declare(folder: string, imports: Readonly<Record<string, Targets>>): Promise<void> {
  const args = [compiler, '-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--pretty', 'false'];
  try {
    await promisify(execFile)(process.execPath, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
  } catch (cause) {
    const { stdout, message } = cause as Error & { readonly stdout: string };
    throw new Error(stdout.trim() || message, { cause });
  }
  await replaceImports(join(folder, 'dist'), imports);
}

async function replaceImports(dist: string, imports: Readonly<Record<string, Targets>>): Promise<void> {
  for (const file of await readdir(dist, { recursive: true })) {
    if (!file.endsWith('.d.ts')) continue;
    const declared = await readFile(join(dist, file), 'utf8');
    const replaced = declared.replace(/(?<=from ')#[^']+(?=';)/g, name => {
      const targets = imports[name];
      const types = typeof targets === 'string' ? targets : targets?.['types'];
      return typeof types === 'string' ? types : name;
    });
    if (replaced !== declared) await writeFile(join(dist, file), replaced);
  }
}
