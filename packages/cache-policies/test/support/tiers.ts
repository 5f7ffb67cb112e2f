import { ManualClock } from '@ashlar/core/testing';
import type { TierSubject } from '../../src/conformance.ts';
import { type MemoryTier, memoryTier, type TierEntry, type TierListener } from '../../src/index.ts';

export const nobody: TierListener = { invalidated() {}, reset() {}, connection() {} };

export function entry(text: string, tags: readonly string[] = []): TierEntry {
  return { value: new TextEncoder().encode(text), freshMs: 60_000, keepMs: 60_000, costMs: 1, tags };
}

export interface ManualTier extends TierSubject {
  readonly clock: ManualClock;
  readonly tier: MemoryTier;
}

/** A memory tier whose time is moved by hand, as a subject of the suite. */
export function manualTier(): ManualTier {
  const clock = new ManualClock();
  const tier = memoryTier({ clock });
  return {
    clock,
    tier,
    now: () => clock.now(),
    pass: ms => clock.advance(ms),
    empty: async () => tier.empty(),
    async [Symbol.asyncDispose]() {},
  };
}
