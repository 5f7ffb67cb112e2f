import { InvalidOptionError } from '@ashlar/core';
import { memoryStore } from '@ashlar/store';
import { expect, it } from 'vitest';
import { Cache, memoryTier, writeBehind } from '../../src/index.ts';

type Key = string | number | bigint;

const alike: readonly (readonly [Key, Key])[] = [
  [1, '1'],
  ['1', 1],
  [1, 1n],
  [1n, '1'],
  ['-7', -7],
  [1.5, '1.5'],
  ['1e+21', 1e21],
  [Number.NaN, 'NaN'],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  [0, '0'],
  [12_345_678_901_234_567_890n, '12345678901234567890'],
];

// graphile/crystal 2316, django 21516: a number got the value of its text, and the other way round
it.each(alike)('two keys that would be one of the shared tier are refused: %o, %o', async (one, other) => {
  const cache = new Cache<Key, string>({ max: 10, remote: memoryTier() });
  await cache.set(one, 'of the one');
  for (const call of [
    () => cache.set(other, 'of the other'),
    () => cache.get(other),
    () => cache.getMany([other]),
    () => cache.delete(other),
    async () => cache.peek(other),
  ]) {
    await expect(call()).rejects.toThrow(InvalidOptionError);
    await expect(call()).rejects.toThrow('`keyOf` is needed to tell keys like');
  }
  expect(await cache.get(one)).toBe('of the one');
  await cache.close();
});

it('and where a journal has them: no write takes the place of another', async () => {
  const written: unknown[] = [];
  const cache = new Cache<Key, string>({
    max: 10,
    write: writeBehind({
      write: async batch => void written.push(...batch.map(({ key, value }) => [key, value])),
      journal: { store: memoryStore(), prefix: 'p' },
    }),
  });
  await cache.set(1, 'of the one');
  await expect(cache.set('1', 'of the other')).rejects.toThrow('like 1 (number) and "1" apart');
  await cache.close();
  expect(written).toEqual([[1, 'of the one']]);
});

it('but not texts that no number has, nor in one process alone, nor with `keyOf`', async () => {
  const shared = new Cache<Key, string>({ max: 20, remote: memoryTier() });
  for (const key of [1, 'one', '01', '1.0', '', '-', '1 ', '-0', 'Infinity2', 'NaNa', '+1', '0x1', '1e3', 2])
    await shared.set(key, `of ${key}`);
  expect(await shared.get('01')).toBe('of 01');
  expect(await shared.get(1)).toBe('of 1');
  const local = new Cache<Key, string>({ max: 10 });
  const named = new Cache<Key, string>({
    max: 10,
    remote: memoryTier(),
    keyOf: key => `${typeof key} ${key}`,
  });
  for (const cache of [local, named]) {
    await cache.set(1, 'a number');
    await cache.set('1', 'a text');
    expect([await cache.get(1), await cache.get('1')]).toEqual(['a number', 'a text']);
  }
  await Promise.all([shared, local, named].map(cache => cache.close()));
});
