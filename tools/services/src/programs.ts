import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
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

/** The processes that a process has started and that run. */
export function childrenOf(pid: number): number[] {
  return processes().flatMap(([id, parent]) => (parent === pid ? [id] : []));
}

export function isAlive(pid: number): boolean {
  return processes().some(([id]) => id === pid);
}

/** Sends a signal to a process that may have ended. */
export function signal(pid: number, name: NodeJS.Signals): void {
  if (isAlive(pid)) process.kill(pid, name);
}

/** Each process, a zombie is none, and its parent. */
function processes(): [pid: number, parent: number][] {
  if (!existsSync('/proc/self/stat')) {
    const lines = execFileSync('ps', ['-axo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
    return lines.map(line => line.trim().split(/\s+/).map(Number) as [number, number]);
  }
  return readdirSync('/proc').flatMap(name => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const [, state, parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8')) ?? [];
      return state === 'Z' ? [] : [[Number(name), Number(parent)] as [number, number]];
    } catch {
      return []; // It has ended since its folder was listed.
    }
  });
}
