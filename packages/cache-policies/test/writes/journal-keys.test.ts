import { memoryStore } from '@ashlar/store';
import { expect, it } from 'vitest';
import { Cache, UnwrittenError, writeBehind } from '../../src/index.ts';

it.each<[string, string | number | bigint]>([
  ['a text', 'a'],
  ['an empty text', ''],
  ['a text like a number', '1'],
  ['a number', 1.5],
  ['zero', 0],
  ['a large number', 1e21],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['a bigint', 1n],
  ['a large bigint', -123456789012345678901234567890n],
])('a key comes back from the journal as it was: %s', async (_, key) => {
  const store = memoryStore();
  const written: unknown[] = [];
  let isDown = true;
  const write = async (batch: readonly { readonly key: string | number | bigint }[]) => {
    if (isDown) throw new Error('down');
    written.push(...batch.map(one => one.key));
  };
  const open = () =>
    new Cache<string | number | bigint, string>({
      max: 10,
      write: writeBehind({ write, closeTimeoutMs: 1, journal: { store, prefix: 'keys:' } }),
    });
  const first = open();
  await first.set(key, 'value');
  await expect(first.close()).rejects.toThrow(UnwrittenError);
  isDown = false;
  const second = open();
  expect(await second.get(key)).toBe('value');
  await second.close();
  expect(written).toEqual([key]);
});
