import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { programArgs } from '@workspace/faults';
import { expect, it } from 'vitest';

it.each([
  ['process.exit', 'exit', 3],
  ['an error that nobody catches', 'throw', 1],
])('lets a thread end by %s while its sockets are open, and the process goes on', async (_, how, code) => {
  const args = programArgs(new URL('../fixtures/open-sockets.ts', import.meta.url), how);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', piece => {
      said += piece;
    });
  }
  await once(child, 'close');
  expect(said.trim()).toBe(`the thread ended with ${code}, the process goes on`);
});
