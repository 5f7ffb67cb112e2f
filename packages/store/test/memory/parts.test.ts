import { ManualClock } from '@ashlar/core/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareKeys, SortedKeys } from '../../src/memory/sorted-keys.ts';
import { TimedMap } from '../../src/memory/timed-map.ts';

const key = fc.string({ unit: 'binary', maxLength: 4 });
const byUtf8 = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

it('compares keys as their UTF-8 bytes compare', () => {
  const property = fc.property(key, key, (a, b) => {
    expect(Math.sign(compareKeys(a, b))).toBe(byUtf8(a, b));
  });
  fc.assert(property, { seed: 1, numRuns: 2_000 });
  for (const [a, b] of [
    ['\uffff', '😀'],
    ['\ue000', '\u{10000}'],
    ['\ud7ff', '\ue000'],
    ['a', 'ab'],
    ['', '\0'],
  ] as const) {
    expect(compareKeys(a, b)).toBeLessThan(0);
    expect(compareKeys(b, a)).toBeGreaterThan(0);
  }
});

it('keeps keys sorted as a sorted set does', () => {
  const change = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 3_000 }));
  const property = fc.property(fc.array(change, { minLength: 3_000, maxLength: 6_000 }), changes => {
    const sorted = new SortedKeys();
    const model = new Set<string>();
    for (const [isAdded, number] of changes) {
      const name = `k${number}`;
      sorted[isAdded ? 'add' : 'delete'](name);
      model[isAdded ? 'add' : 'delete'](name);
    }
    const all = [...model].sort();
    expect(sorted.page('', undefined, Infinity)).toEqual(all);
    for (const [prefix, after] of [
      ['k1', undefined],
      ['k', 'k5'],
      ['k2', 'k25'],
      ['k9999', undefined],
      ['', ''],
    ] as const) {
      const expected = all.filter(name => name.startsWith(prefix) && (after === undefined || name > after));
      expect(sorted.page(prefix, after, 7)).toEqual(expected.slice(0, 7));
      expect(sorted.page(prefix, after, Infinity)).toEqual(expected);
    }
    for (const name of all) sorted.delete(name);
    expect(sorted.page('', undefined, 5)).toEqual([]);
  });
  fc.assert(property, { seed: 1, numRuns: 20 });
});

it('tells each end once, at its time, however often it was moved', async () => {
  const clock = new ManualClock();
  const ended: [string, number][] = [];
  const map = new TimedMap<number>(clock, name => ended.push([name, clock.now()]));
  for (let round = 0; round < 2_000; round++) map.set('moved', round, 1_000 - (round % 500));
  map.set('moved', 1, 300);
  map.set('first', 1, 100);
  map.set('lifted', 1, 50);
  map.set('lifted', 2);
  map.set('deleted', 1, 50);
  map.delete('deleted');
  for (let i = 0; i < 2_500; i++) map.set(`many ${i}`, i, 200);
  await clock.advance(150);
  expect(ended).toEqual([['first', 100]]);
  await clock.advance(1_000);
  expect(ended.length).toBe(2_502);
  expect(new Set(ended.slice(1, 2_501).map(([, at]) => at))).toEqual(new Set([200]));
  expect(ended.at(-1)).toEqual(['moved', 300]);
  expect(map.get('lifted')).toBe(2);
  expect(map.size).toBe(1);
  expect(clock.sleeping).toBe(0);
});
