import { InvalidOptionError } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import { type Key, MaglevTable, murmur3, type RingNode } from '../src/index.ts';

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

  it('takes a million nodes in a table that has room for them', () => {
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
