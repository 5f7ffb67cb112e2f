import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('./fixtures/outlives.ts', import.meta.url));

it('ends without a word when its parent is gone, also while it sends to it', async () => {
  const flags = ['--conditions=@ashlar/source', '--import', 'tsx', program];
  const parent = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = text(parent.stderr); // of both, until both have ended
  await once(parent.stdout, 'data');
  parent.kill('SIGKILL');
  expect(await said).toBe('');
});
