import { InvalidOptionError } from '@ashlar/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Key, MaglevTable, murmur3, type RingNode } from '../../src/index.ts';

/** Keys of the form `#123` stand at that entry of the table. */
const placed = (key: Key) =>
  typeof key === 'string' && key.startsWith('#') ? Number(key.slice(1)) : murmur3(key);

/** How many entries each node has, exactly. */
function entries(nodes: readonly RingNode[], tableSize = 65537): Map<string, number> {
  const table = new MaglevTable(nodes, { tableSize, hash: placed });
  const counts = new Map<string, number>();
  for (let entry = 0; entry < tableSize; entry++) {
    const id = table.get(`#${entry}`);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

const nodes = (count: number) =>
  Array.from({ length: count }, (_, i): RingNode => ({ id: `10.0.0.${i}:8080` }));

describe('MaglevTable', () => {
  it('shares its entries evenly to within one: peak to average at most 1.002 at 100 nodes', () => {
    const counts = [...entries(nodes(100)).values()];
    expect(Math.max(...counts) - Math.min(...counts)).toBe(1);
    expect(Math.max(...counts) / (65537 / 100)).toBeLessThanOrEqual(1.002);
  });

  // The timeout ends what hangs; a busy machine may take long
  it('takes a million nodes in a table that has room for them', { timeout: 300_000 }, () => {
    const million = Array.from({ length: 1_000_000 }, (_, i) => `node-${i}`);
    const placement = new MaglevTable(million, { tableSize: 2_000_003 });
    expect(placement.size).toBe(1_000_000);
    expect(placement.get('user:1')).toMatch(/^node-/);
  });

  it('shares by weight', () => {
    const weights = [1, 3, 2, 1, 7];
    const counts = entries(nodes(5).map((node, i) => ({ ...node, weight: weights[i]! })));
    for (const [i, weight] of weights.entries()) {
      expect(counts.get(`10.0.0.${i}:8080`)! / (65537 / 14)).toBeCloseTo(weight, 2);
    }
  });

  it('gives a node its share to within one entry and a part of it, whatever the weights', () => {
    const weight = fc.oneof(
      fc.constant(1),
      fc.constantFrom(1e-6, 1e6),
      fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
    );
    const tableSize = fc.constantFrom(101, 211, 1009);
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 60 }), tableSize, (weights, tableSize) => {
        const weighted = weights.map((weight, i) => ({ id: `n${i}`, weight }));
        const counts = entries(weighted, tableSize);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (const { id, weight } of weighted) {
          const share = (weight / total) * tableSize;
          const count = counts.get(id) ?? 0;
          expect(count).toBeGreaterThanOrEqual(1);
          expect(Math.abs(count - share)).toBeLessThan(1 + (share * weights.length) / tableSize + 1e-6);
        }
      }),
      { numRuns: 300, seed: 31 },
    );
  });

  it('gives out every node, also one that is far too light for an entry', () => {
    const table = new MaglevTable([{ id: 'light' }, { id: 'heavy', weight: 1e6 }, { id: 'none', weight: 0 }]);
    expect(table.getN('key', 3)).toEqual(['heavy', 'light']);
    const many = nodes(1_000).map((node, i) => ({ ...node, weight: i === 0 ? 1e6 : 1e-3 }));
    expect(new MaglevTable(many).getN('key', 1_000)).toHaveLength(1_000);
  });

  it('moves little more than it must when a node leaves', () => {
    const whole = new MaglevTable(nodes(100));
    const without = new MaglevTable(nodes(99));
    const keys = Array.from({ length: 50_000 }, (_, i) => `user:${i}`);
    const moved = keys.filter(key => whole.get(key) !== without.get(key)).length / keys.length;
    expect(moved).toBeLessThan(0.03);
  });

  it.each([
    [{ tableSize: 100 }, '`tableSize` must be a prime number, got 100'],
    [{ tableSize: 1 }, '`tableSize` must be an integer of at least 2'],
    [{ tableSize: 65537.5 }, '`tableSize` must be an integer'],
    [{ tableSize: 7 }, '`tableSize` must be at least the number of nodes, 8, got 7'],
    [
      { tablesize: 7 } as object,
      'MaglevTable has no option `tablesize`; did you mean `tableSize`? it takes tableSize, hash',
    ],
  ])('refuses %j', (options, message) => {
    expect(() => new MaglevTable(nodes(8), options)).toThrow(InvalidOptionError);
    expect(() => new MaglevTable(nodes(8), options)).toThrow(message);
  });
});
