import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Ended, ended } from '@workspace/services';
import { onTestFinished } from 'vitest';
import type { Report } from '../src/output/report.ts';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** Starts the built program, as users do. It does not outlive the test. */
export function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  if (!existsSync(main)) throw new Error(`${main} is missing: \`npm run build\` makes it`);
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

export function run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended> {
  return ended(start(args, env));
}

/** Its report. @throws Error with what it wrote when it does not end well. */
export async function reportOf(args: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await run([...args, '--json']);
  if (code !== 0) throw new Error(`it ended with exit code ${code}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout) as Report;
}
