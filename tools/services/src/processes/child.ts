import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** How a program ended, and all that it has written. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves when the program has ended; its output must be piped. */
export async function ended(child: ChildProcess): Promise<Ended> {
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
  ]);
  return { code, signal, stdout, stderr };
}

/** Resolves with what it has written when that matches. @throws Error when it ends before. */
export async function written(child: ChildProcess, wanted: RegExp): Promise<string> {
  let all = '';
  for await (const piece of child.stdout!.iterator({ destroyOnReturn: false })) {
    all += piece;
    if (wanted.test(all)) return all;
  }
  throw new Error(`it ended and had not written ${wanted}:\n${all}`);
}
