import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';

const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');

/** Checks the types of the package and writes its declarations. Rejects with the compiler's errors. */
export async function declare(folder: string): Promise<void> {
  const args = [compiler, '-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--pretty', 'false'];
  try {
    await promisify(execFile)(process.execPath, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
  } catch (cause) {
    const { stdout, message } = cause as Error & { readonly stdout: string };
    throw new Error(stdout.trim() || message, { cause });
  }
}
