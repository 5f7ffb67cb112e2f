import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('support/long-run.ts', import.meta.url));

describe('100 000 requests that succeed, fail, are hedged, wait and are given up', () => {
  it('leave no memory, timers or flights behind', async () => {
    const flags = ['--expose-gc', '--import', 'tsx', '--conditions', '@ashlar/source'];
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, program, '100000'], {
      timeout: 120_000,
    });
    const left = JSON.parse(stdout);
    expect(left).toMatchObject({ inFlight: 0, waiting: 0, resources: [] });
    // It is what it says it is
    expect(left.hedgesWon).toBeGreaterThan(1_500);
    expect(left.retries).toBeGreaterThan(1_500);
    // 10 bytes each would be more
    expect(left.grownBytes).toBeLessThan(1_000_000);
  }, 130_000);
});
