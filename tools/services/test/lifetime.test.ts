import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../src/index.ts';
import { isAlive } from '../src/processes/processes.ts';
import { describeWith } from '../src/tests/vitest.ts';
import { soon } from './support.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const vitest = join(import.meta.dirname, '..', '..', '..', 'node_modules', 'vitest', 'vitest.mjs');

interface Held {
  readonly pids: readonly number[];
  readonly folder: string;
}

describeWith([{ own: 'redis' }, 'nginx'], 'servers', () => {
  it.each(['returns from its main module', 'calls process.exit', 'throws what nobody catches'])(
    'are gone when the process %s',
    async ending => {
      const { held, ended } = await hold(['--import', 'tsx', join(fixtures, 'holder.ts'), ending]);
      await ended;
      await allGone(held);
    },
  );

  it.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('are gone when the process gets %s', async signal => {
    const program = ['--import', 'tsx', join(fixtures, 'holder.ts'), 'waits for a signal'];
    const { child, held, ended } = await hold(program);
    expect(held.pids.length).toBeGreaterThan(3);
    expect(held.pids.filter(pid => !isAlive(pid))).toEqual([]);
    child.kill(signal);
    await ended;
    await allGone(held);
  });

  it('are gone after a test that failed', async () => {
    const args = [vitest, 'run', '--config', join(fixtures, 'vitest.config.mjs'), 'abandoned'];
    const { held, ended } = await hold(args);
    expect(await ended).toBe(1);
    await allGone(held);
  });
});

/** Runs a program that prints what it holds, in a line of JSON. */
async function hold(
  args: readonly string[],
): Promise<{ child: ChildProcessByStdio<null, Readable, null>; held: Held; ended: Promise<number | null> }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  for await (const line of createInterface(child.stdout)) {
    const json = /\{"pids".*\}/.exec(line)?.[0]; // there may be color before it
    if (json === undefined) continue;
    child.stdout.resume();
    return { child, held: JSON.parse(json), ended };
  }
  throw new Error(`it ended with ${await ended}, and held nothing`);
}

async function allGone({ pids, folder }: Held): Promise<void> {
  await eventually(async () => expect(pids.filter(isAlive)).toEqual([]), soon);
  await eventually(async () => expect(existsSync(folder)).toBe(false), soon);
}
