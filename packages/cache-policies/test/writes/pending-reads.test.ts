import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { memoryTier, type PendingWrite, writeBehind } from '../../src/index.ts';
import { ManualSource, manualCache, settle } from '../support/caches.ts';
import { Gates, gatedTier } from '../support/schedule.ts';

describe('a call that waits for a load, after tags were invalidated', () => {
  const loads = [
    ['the value has one of them', 'old'],
    ['the source had nothing', undefined],
  ] as const;

  it.each(loads)('gets the value that is pending by now, and keeps it: %s', async (_, loaded) => {
    const source = new ManualSource<string, string>();
    const write = writeBehind<string, string>({ write: async () => {}, maxDelayMs: 1_000 });
    const options = { load: source.load, write, tags: () => ['mine'], negativeTtlMs: 1_000 };
    const { cache } = manualCache({ ...options, timeoutMs: 10_000 });
    const before = cache.get('a');
    await cache.invalidateTags(['mine']);
    const after = cache.get('a');
    await cache.set('a', 'new');
    source.resolve(0, loaded);
    await settle();
    expect(await before).toBe(loaded);
    expect(source.calls.length).toBe(1);
    expect(await after).toBe('new');
    expect(await cache.get('a')).toBe('new');
  });

  it.each(loads)('gets what was set since, also where the source does not have it: %s', async (_, loaded) => {
    const source = new ManualSource<string, string>();
    const { cache } = manualCache({ load: source.load, tags: () => ['mine'] });
    const before = cache.get('a');
    await cache.invalidateTags(['mine']);
    const after = cache.get('a');
    await cache.set('a', 'new');
    source.resolve(0, loaded);
    await settle();
    expect(await before).toBe(loaded);
    expect(source.calls.length).toBe(1);
    expect(await after).toBe('new');
    expect(await cache.get('a')).toBe('new');
  });
});

it('`peek` gives what `get` gives, while a write is on its way into the shared tier', async () => {
  const clock = new ManualClock();
  const gates = new Gates();
  gates.isOpen = true;
  const remote = gatedTier(gates, memoryTier({ clock }));
  const write = writeBehind<string, string>({ write: async () => {} });
  const { cache } = manualCache({ clock, remote, write });
  await cache.set('a', 'old');
  gates.isOpen = false;
  const writing = cache.set('a', 'new');
  await settle();
  expect(cache.peek('a')).toBe(await cache.get('a'));
  await gates.releaseAll();
  await writing;
  expect([cache.peek('a'), await cache.get('a')]).toEqual(['new', 'new']);
});

it('the numbers of writes grow from one cache to the next, however soon that is', async () => {
  const sequences: number[] = [];
  const open = () =>
    manualCache({
      write: writeBehind<string, string>({
        write: async (batch: readonly PendingWrite<string, string>[]) => {
          sequences.push(...batch.map(({ sequence }) => sequence));
        },
      }),
    }).cache;
  for (let i = 0; i < 5; i++) {
    const cache = open();
    for (const key of 'abcdefghij') await cache.set(key, '1');
    await cache.close();
  }
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  expect(new Set(sequences).size).toBe(sequences.length);
});
