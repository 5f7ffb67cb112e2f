import { InvalidOptionError } from '@ashlar/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Acquired, BoundedLoad, EmptyPlacementError, HashRing, JumpHash } from '../src/index.ts';

const nodes = [{ id: 'a', weight: 1 }, { id: 'b', weight: 2 }, { id: 'c', weight: 0.5 }, { id: 'd' }];

describe('BoundedLoad', () => {
  it('never gives a node more than its bound, under any order of acquiring and releasing', () => {
    const step = fc.record({ release: fc.boolean(), key: fc.nat({ max: 5 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.constantFrom(1.01, 1.25, 2), (steps, factor) => {
        const bounded = new BoundedLoad(new HashRing(nodes), { factor });
        const held: Acquired[] = [];
        for (const { release, key } of steps) {
          if (release && held.length > 0) {
            held.splice(key % held.length, 1)[0]!.release();
            continue;
          }
          const weightOf = (id: string) => nodes.find(node => node.id === id)?.weight ?? 1;
          const acquired = bounded.acquire(`hot:${key}`);
          held.push(acquired);
          const bound = Math.ceil(factor * held.length * (weightOf(acquired.node) / 4.5) + 1e-9);
          expect(bounded.loadOf(acquired.node)).toBeLessThanOrEqual(bound);
        }
        expect(bounded.total).toBe(held.length);
        for (const acquired of held) acquired.release();
        for (const acquired of held) acquired.release();
        expect(bounded.total).toBe(0);
        expect(nodes.map(({ id }) => bounded.loadOf(id))).toEqual([0, 0, 0, 0]);
      }),
      { numRuns: 100 },
    );
  });

  it('keeps a key at its own node while there is room, and then goes on in its order of preference', () => {
    const ring = new HashRing(['a', 'b', 'c', 'd']);
    const bounded = new BoundedLoad(ring, { factor: 1.5 });
    const order = ring.getN('hot', 4);
    const given = Array.from({ length: 8 }, () => bounded.acquire('hot').node);
    // Room at the time of each: ceil(1.5 * 1 / 4) = 1, 1, 2, 2, 2, 3, 3, 3
    expect(given.map(node => order.indexOf(node))).toEqual([0, 1, 0, 1, 2, 0, 1, 2]);
  });

  it('follows the placement, and counts no weights where it has none', () => {
    const ring = new HashRing(['a', 'b']);
    const bounded = new BoundedLoad(ring);
    const first = bounded.acquire('k');
    ring.setDown(first.node, true);
    expect(bounded.acquire('k').node).not.toBe(first.node);
    ring.setDown(first.node === 'a' ? 'b' : 'a', true);
    expect(() => bounded.acquire('k')).toThrow(EmptyPlacementError);
    first.release();
    expect(new BoundedLoad(new JumpHash(['a', 'b']), { factor: 2 }).capacityOf('a')).toBe(1);
    expect(new BoundedLoad(new JumpHash([])).capacityOf('a')).toBe(0);
  });

  it.each([[{ factor: 1 }], [{ factor: Number.NaN }], [{ factors: 2 } as object]])('refuses %j', options => {
    expect(() => new BoundedLoad(new HashRing(), options)).toThrow(InvalidOptionError);
  });
});
