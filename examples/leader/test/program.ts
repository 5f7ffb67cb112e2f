import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { childrenOf, signal } from '@workspace/services';
import { onTestFinished } from 'vitest';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** Starts the built program, as users do. Neither it nor its children outlive the test. */
export function start(...args: string[]): ChildProcess {
  if (!existsSync(main)) throw new Error(`${main} is missing: \`npm run build\` makes it`);
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => {
    const left = child.pid === undefined ? [] : childrenOf(child.pid);
    child.kill('SIGKILL');
    for (const pid of left) signal(pid, 'SIGKILL');
  });
  return child;
}
