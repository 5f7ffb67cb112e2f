import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { tierConformance } from '../../src/conformance.ts';
import { memoryTier } from '../../src/index.ts';
import { entry, manualTier, nobody } from '../support/tiers.ts';

tierConformance({ describe, it }, async () => manualTier(), {
  name: 'memoryTier',
  features: { empties: true },
});

describe('memoryTier', () => {
  it('keeps no more values than it may, the newest', async () => {
    const tier = memoryTier({ max: 3 });
    const session = tier.open(nobody);
    for (const key of ['a', 'b', 'c', 'a', 'd']) await session.write(new Map([[key, entry(key)]]));
    const reads = await session.read(['a', 'b', 'c', 'd']);
    expect(reads.map(read => read.entry !== undefined)).toEqual([true, false, true, true]);
    expect(tier.snapshot()).toMatchObject({ name: 'memory', size: 3, sessions: 1 });
  });

  it('forgets leases that ended without being asked for them', async () => {
    const clock = new ManualClock();
    const tier = memoryTier({ clock });
    const session = tier.open(nobody);
    await session.read(
      Array.from({ length: 100 }, (_, i) => `key-${i}`),
      { leaseMs: 1_000 },
    );
    expect(tier.snapshot().leases).toBe(100);
    await clock.advance(1_000);
    await session.read(['other'], { leaseMs: 1_000 });
    expect(tier.snapshot().leases).toBe(1);
  });

  it('goes on without tags that it had to forget, on the safe side', async () => {
    const session = memoryTier({ max: 2 }).open(nobody);
    await session.write(new Map([['old', entry('1', ['z'])]]));
    for (const tag of ['a', 'b', 'c']) await session.invalidateTags([tag]);
    await session.write(new Map([['new', entry('2', ['a', 'z'])]]));
    const [old, fresh] = await session.read(['old', 'new']);
    expect(old!.entry).toBeUndefined();
    expect(fresh!.entry).toBeDefined();
  });

  it('refuses options that it does not know or cannot honor', () => {
    expect(() => memoryTier({ max: 0 })).toThrow('`max` must be an integer of at least 1');
    expect(() => memoryTier({ size: 1 } as object)).toThrow('memoryTier has no option `size`');
  });
});
