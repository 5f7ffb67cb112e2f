import { fileURLToPath } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';

// What runs here is bundled into one file, as reading TypeScript at each start costs more than most programs do
const runner = fileURLToPath(new URL('./programs/run.mjs', import.meta.url));
const conditions = '--conditions=@ashlar/source';

/** Arguments of `node` that run a TypeScript program on the sources of the packages. */
export function programArgs(program: URL, ...args: readonly string[]): string[] {
  return [conditions, runner, fileURLToPath(program), ...args];
}

/** Runs a TypeScript program in a thread, on the sources of the packages. */
export function startThread(
  program: URL,
  options: Omit<WorkerOptions, 'argv' | 'execArgv' | 'eval'> = {},
): Worker {
  return new Worker(runner, { ...options, argv: [fileURLToPath(program)], execArgv: [conditions] });
}
