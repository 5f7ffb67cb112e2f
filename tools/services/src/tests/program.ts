import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { childrenOf, signal } from '../processes/processes.ts';

/** What starts the built program at this place with such arguments. */
export function programAt(place: URL): (...args: string[]) => ChildProcess {
  return (...args) => startProgram(place, args);
}

/** Starts the built program at this place, as users do. Neither it nor its children outlive the test. */
export function startProgram(
  place: URL,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const main = fileURLToPath(place);
  if (!existsSync(main)) throw new Error(`${main} is missing: \`npm run build\` makes it`);
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => {
    const left = child.pid === undefined ? [] : childrenOf(child.pid);
    child.kill('SIGKILL');
    for (const pid of left) signal(pid, 'SIGKILL');
  });
  return child;
}
