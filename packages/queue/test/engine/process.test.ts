import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { programArgs } from '@workspace/faults';
import { expect, it } from 'vitest';

it('keeps the process alive while a subscription is open, and no longer', async () => {
  const args = programArgs(new URL('../fixtures/waiting.ts', import.meta.url));
  // One that does not end by itself is ended, and the promise rejects
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
  expect(stdout.trim().split('\n')).toEqual(['handled', 'closed', 'ended']);
}, 30_000);
