import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { programArgs } from '@workspace/faults';
import { type Redis, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';

describeWith([{ own: 'redis' }], 'a process with a driver over Redis Streams', () => {
  let server: Redis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server?.stop());

  it('ends after its last call without a subscription', async () => {
    const args = programArgs(new URL('../../fixtures/publishing.ts', import.meta.url), server.url);
    // One that does not end by itself is ended, and the promise rejects
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 40_000 });
    expect(stdout.trim().split('\n')).toEqual(['published', 'ended']);
  });
});
