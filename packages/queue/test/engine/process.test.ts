import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('keeps the process alive while a subscription is open, and no longer', async () => {
  const program = fileURLToPath(new URL('../fixtures/waiting.ts', import.meta.url));
  const loader = `--import=${import.meta.resolve('tsx')}`;
  const args = ['--conditions=@ashlar/source', loader, program];
  // One that does not end by itself is ended, and the promise rejects
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
  expect(stdout.trim().split('\n')).toEqual(['handled', 'closed', 'ended']);
}, 30_000);
