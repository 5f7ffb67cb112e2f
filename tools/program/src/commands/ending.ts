import { AshlarError } from '@ashlar/core';
import { UsageError } from '../flags.ts';

/** Says on the standard error why the program fails, an AshlarError in one line. Gives the exit code: 2 for a UsageError, else 1. */
export function failed(name: string, error: unknown): number {
  console.error(error instanceof AshlarError ? `${name}: ${error.message}` : error);
  return error instanceof UsageError ? 2 : 1;
}

/** Ends the process when all that it has written is read, whatever is still open. */
export async function exit(): Promise<never> {
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit();
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  // An error, as when nobody reads any more, also ends the wait
  return new Promise(resolve => void stream.write('', () => resolve()));
}
