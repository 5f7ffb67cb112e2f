import { describe, expect, it } from 'vitest';
import type { BoundedMap } from '../../src/index.ts';
import { policies } from '../support/policies.ts';

const hits = 50_000;

const stringKeys = Array.from({ length: 1_000 }, (_, i) => `user:${i}:profile`);
const integerKeys = Array.from({ length: 1_000 }, (_, i) => i);

/** Whatever else runs in the process allocates too, so the least of several rounds counts. */
function bytesAHit<K>(map: BoundedMap<K, number>, keys: readonly K[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0, next = 0; i < hits; i++) {
      map.get(keys[next]!);
      next = next + 1 === keys.length ? 0 : next + 1;
    }
    const bytes = process.memoryUsage().heapUsed - before;
    // less than before: garbage was collected meanwhile
    if (bytes >= 0) least = Math.min(least, bytes / hits);
  }
  return least;
}

describe('a hit allocates nothing', () => {
  for (const [name, eviction] of Object.entries(policies)) {
    for (const [kind, keys] of Object.entries({ strings: stringKeys, integers: integerKeys })) {
      it(`of ${name}, ${kind}`, () => {
        const map = eviction<string | number, number>({ max: 2_000 });
        for (const [i, key] of keys.entries()) map.set(key, i);
        // V8 has compiled it by then
        bytesAHit(map, keys);
        expect(bytesAHit(map, keys)).toBeLessThan(1);
      });
    }
  }

  it('is what this can tell', () => {
    const map = policies['sieve']!<number, number>({ max: 2_000 });
    for (const key of integerKeys) map.set(key, key);
    const kept: unknown[] = [{}];
    const get = map.get.bind(map);
    const wasteful = Object.assign(map, {
      get(key: number) {
        kept[0] = { key };
        return get(key);
      },
    });
    bytesAHit(wasteful, integerKeys);
    expect(bytesAHit(wasteful, integerKeys)).toBeGreaterThan(8);
  });
});
