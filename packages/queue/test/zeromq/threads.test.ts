import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it.each([
  ['process.exit', 'exit', 3],
  ['an error that nobody catches', 'throw', 1],
])('lets a thread end by %s while its sockets are open, and the process goes on', async (_, how, code) => {
  const program = fileURLToPath(new URL('../fixtures/open-sockets.ts', import.meta.url));
  const loader = `--import=${import.meta.resolve('tsx')}`;
  const child = spawn(process.execPath, ['--conditions=@ashlar/source', loader, program, how], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', piece => {
      said += piece;
    });
  }
  await once(child, 'close');
  expect(said.trim()).toBe(`the thread ended with ${code}, the process goes on`);
});
