import { ManualClock } from '@ashlar/core/testing';
import { memoryDriver } from '../../src/index.ts';
import type { Site } from './site.ts';

const leaseMs = 400;

/** The memory of this process, in virtual time. */
export async function memorySite(): Promise<Site> {
  const probe = memoryDriver();
  const { capabilities } = probe;
  await probe[Symbol.asyncDispose]();
  return {
    capabilities,
    mostProcesses: 1,
    breaks: false,
    leaseMs,
    async begin() {
      const clock = new ManualClock();
      const driver = memoryDriver({ clock, leaseMs });
      return {
        drivers: [driver],
        now: () => clock.now(),
        pass: ms => clock.advance(ms),
        async break() {},
        end: async () => driver[Symbol.asyncDispose](),
      };
    },
    async [Symbol.asyncDispose]() {},
  };
}
