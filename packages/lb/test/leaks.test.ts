import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { programArgs } from '@workspace/faults';
import { describe, expect, it } from 'vitest';

/** What a program in `support` prints, as JSON. */
async function printed(program: string, ...given: string[]): Promise<Record<string, unknown>> {
  const args = programArgs(new URL(`support/programs/${program}`, import.meta.url), ...given);
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', ...args], {
    timeout: 120_000,
  });
  return JSON.parse(stdout);
}

describe('100 000 requests that succeed, fail, are hedged, wait and are given up', () => {
  it('leave no memory, timers or flights behind', async () => {
    const left = await printed('long-run.ts', '100000');
    expect(left).toMatchObject({ inFlight: 0, waiting: 0, resources: [] });
    // It is what it says it is
    expect(left['mostWaiting']).toBeGreaterThan(0);
    expect(left['hedgesWon']).toBeGreaterThan(1_500);
    expect(left['retries']).toBeGreaterThan(1_500);
    // 10 bytes each would be more
    expect(left['grownBytes']).toBeLessThan(1_000_000);
  }, 130_000);
});

describe('what waits again and again for a signal that lives long', () => {
  it.each([
    'questions of the DNS',
    'changes of a registry',
    'watches of a registry',
    'discoveries of a registry',
    'followers of a store',
  ])(
    'leaves nothing on it: %s',
    async kind => {
      const { bytesPerRound, listeners } = await printed('long-watch.ts', kind, '6000');
      expect(listeners).toBe(0);
      // A signal of `AbortSignal.any` that nobody has any more leaves 74 and more
      expect(bytesPerRound).toBeLessThan(40);
    },
    130_000,
  );
});
