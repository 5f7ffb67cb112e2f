import type { ChildProcess } from 'node:child_process';
import { type Ended, ended } from '@workspace/services';
import { startProgram } from '@workspace/services/vitest';
import type { Report } from '../src/output/report.ts';

export function start(args: readonly string[], env?: Readonly<Record<string, string>>): ChildProcess {
  return startProgram(new URL('../dist/main.js', import.meta.url), args, env);
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
