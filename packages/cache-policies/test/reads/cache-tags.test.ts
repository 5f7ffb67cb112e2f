import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { memoryTier } from '../../src/index.ts';
import { ManualSource, manualCache, settle } from '../support/caches.ts';

const tiers = [
  ['in one process', () => ({})],
  [
    'over a shared tier',
    () => {
      const clock = new ManualClock();
      return { clock, remote: memoryTier({ clock }) };
    },
  ],
] as const;

describe.each(tiers)('a load that is under way while tags are invalidated, %s', (_, shared) => {
  it('is shared and kept when its value has none of them', async () => {
    const source = new ManualSource<string, string>();
    const { cache } = manualCache({ ...shared(), load: source.load, tags: () => ['mine'] });
    const reads = [cache.get('a')];
    for (let i = 0; i < 5; i++) {
      await settle();
      await cache.invalidateTags([`other ${i}`]);
      reads.push(
        cache.get('a'),
        cache.getMany(['a']).then(found => found.get('a')),
      );
    }
    await settle();
    expect(source.calls.length).toBe(1);
    source.resolve(0, 'value');
    expect(await Promise.all(reads)).toEqual(reads.map(() => 'value'));
    await settle();
    expect(await cache.get('a')).toBe('value');
    expect(source.calls.length).toBe(1);
  });

  it('is made again once when its value has one of them', async () => {
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({ ...shared(), load: source.load, tags: () => ['mine'] });
    const before = cache.get('a');
    await settle();
    await cache.invalidateTags(['mine']);
    const after = [cache.get('a'), cache.get('a')];
    await settle();
    source.resolve(0, 'old');
    expect(await before).toBe('old');
    await settle();
    await clock.advance(10);
    await settle();
    expect(source.calls.length).toBe(2);
    source.resolve(1, 'new');
    expect(await Promise.all(after)).toEqual(['new', 'new']);
    await settle();
    expect(await cache.get('a')).toBe('new');
    expect(source.calls.length).toBe(2);
  });

  it('is made again when the source had nothing, as nothing has no tags', async () => {
    const source = new ManualSource<string, string>();
    const { cache } = manualCache({ ...shared(), load: source.load, tags: () => ['mine'] });
    const before = cache.get('a');
    await settle();
    await cache.invalidateTags(['mine']);
    const after = cache.get('a');
    await settle();
    source.resolve(0, undefined);
    expect(await before).toBe(undefined);
    await settle();
    source.resolve(1, 'new');
    expect(await after).toBe('new');
  });

  it('is not shared when everything was cleared after that', async () => {
    const source = new ManualSource<string, string>();
    const { cache } = manualCache({ ...shared(), load: source.load, tags: () => ['mine'] });
    const before = cache.get('a');
    await settle();
    await cache.invalidateTags(['mine']);
    const after = cache.get('a');
    await settle();
    await cache.clear();
    source.resolve(0, 'old');
    expect(await before).toBe('old');
    await settle();
    source.resolve(1, 'new');
    expect(await after).toBe('new');
  });

  it('refreshes once', async () => {
    const source = new ManualSource<string, string>();
    const options = { ttlMs: 50, staleMs: 10_000, tags: () => ['mine'], load: source.load };
    const { cache, clock } = manualCache({ ...shared(), ...options });
    await cache.set('a', 'stale');
    await clock.advance(60);
    for (let i = 0; i < 5; i++) {
      expect(await cache.get('a')).toBe('stale');
      await settle();
      await cache.invalidateTags([`other ${i}`]);
    }
    expect(source.calls.length).toBe(1);
    source.resolve(0, 'fresh');
    await settle();
    await settle();
    expect(await cache.get('a')).toBe('fresh');
    expect(source.calls.length).toBe(1);
  });
});
