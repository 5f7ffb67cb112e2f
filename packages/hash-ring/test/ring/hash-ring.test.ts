import { InvalidOptionError } from '@ashlar/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DuplicateNodeError,
  HashRing,
  type Key,
  murmur3,
  type RingNode,
  UnknownNodeError,
} from '../../src/index.ts';

const keys = Array.from({ length: 400 }, (_, i) => `user:${i}`);
const nodeIds = ['a', 'b', 'c', 'd', 'e', 'f'];

/** Keys of the form `#123` stand at that place of the circle. */
const placed = (key: Key) =>
  typeof key === 'string' && key.startsWith('#') ? Number(key.slice(1)) : murmur3(key);

function answers(ring: HashRing): string[] {
  return keys.map(key => ring.getN(key, 3).join());
}

type Change =
  | { readonly do: 'add'; readonly id: string; readonly weight: number }
  | { readonly do: 'remove'; readonly id: string }
  | { readonly do: 'weigh'; readonly id: string; readonly weight: number }
  | { readonly do: 'down'; readonly id: string; readonly down: boolean };

const id = fc.constantFrom(...nodeIds);
const weight = fc.constantFrom(0, 0.001, 0.5, 1, 2);
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ do: fc.constant('add' as const), id, weight }),
  fc.record({ do: fc.constant('remove' as const), id }),
  fc.record({ do: fc.constant('weigh' as const), id, weight }),
  fc.record({ do: fc.constant('down' as const), id, down: fc.boolean() }),
);

/** Applies the change to ring and model, or sees both refuse it. */
function apply(ring: HashRing, model: Map<string, { weight: number; down: boolean }>, what: Change): void {
  const known = model.get(what.id);
  if (what.do === 'add') {
    if (known !== undefined) return void expect(() => ring.add(what)).toThrow(DuplicateNodeError);
    ring.add({ id: what.id, weight: what.weight });
    model.set(what.id, { weight: what.weight, down: false });
  } else if (what.do === 'remove') {
    if (known === undefined) return void expect(() => ring.remove(what.id)).toThrow(UnknownNodeError);
    ring.remove(what.id);
    model.delete(what.id);
  } else if (what.do === 'weigh') {
    if (known === undefined) return void expect(() => ring.setWeight(what.id, 1)).toThrow(UnknownNodeError);
    ring.setWeight(what.id, what.weight);
    known.weight = what.weight;
  } else {
    if (known === undefined) return void expect(() => ring.setDown(what.id, true)).toThrow(UnknownNodeError);
    ring.setDown(what.id, what.down);
    known.down = what.down;
  }
}

describe('HashRing, changed', () => {
  it('answers as one built anew, in any order, without those that are down', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 25 }), fc.boolean(), (changes, reversed) => {
        const ring = new HashRing([], { vnodes: 20 });
        const model = new Map<string, { weight: number; down: boolean }>();
        for (const what of changes) apply(ring, model, what);
        const up = [...model].filter(([, { down }]) => !down).map(([id, { weight }]) => ({ id, weight }));
        const anew = new HashRing(reversed ? up.reverse() : up, { vnodes: 20 });
        expect(ring.size).toBe(anew.size);
        for (const { id } of up) expect(ring.shareOf(id)).toBeCloseTo(anew.shareOf(id), 12);
        if (ring.size > 0) expect(answers(ring)).toEqual(answers(anew));
        expect(ring.clone().nodes()).toEqual(ring.nodes());
        if (ring.size > 0) expect(answers(ring.clone())).toEqual(answers(ring));
      }),
      { numRuns: 150 },
    );
  });

  it('moves only keys to or from the node that changed', () => {
    fc.assert(
      fc.property(id, weight, fc.array(weight, { minLength: 6, maxLength: 6 }), (changed, to, weights) => {
        const nodes: RingNode[] = nodeIds.map((id, i) => ({ id, weight: weights[i]! }));
        fc.pre(nodes.some(node => node.weight! > 0 && node.id !== changed));
        const before = new HashRing(nodes, { vnodes: 20 });
        const after = before.clone();
        after.setWeight(changed, to);
        for (const key of keys) {
          const [from, now] = [before.get(key), after.get(key)];
          if (from !== now) expect([from, now]).toContain(changed);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('keeps the place of a node that is down', () => {
    const ring = new HashRing(nodeIds);
    const before = answers(ring);
    ring.setDown('b', true);
    const without = new HashRing(nodeIds.filter(id => id !== 'b'));
    expect(answers(ring)).toEqual(answers(without));
    expect(ring.has('b')).toBe(true);
    expect(ring.shareOf('b')).toBe(0);
    ring.setDown('b', false);
    expect(answers(ring)).toEqual(before);
  });

  it('stays as it was when a change is refused', () => {
    const ring = new HashRing(nodeIds, { vnodes: 1000 });
    const before = answers(ring);
    expect(() => ring.add({ id: 'huge', weight: 1e6 })).toThrow('the ring would have 1000006000 points');
    expect(() => ring.setWeight('a', 1e6)).toThrow('the ring would have 1000005000 points');
    expect(() => ring.setWeight('a', -1)).toThrow('`weight` must be a number of at least 0');
    expect(() => ring.setDown('a', 'yes' as never)).toThrow('`down` must be true or false, got "yes"');
    expect(ring.nodes()).toEqual(nodeIds.map(id => ({ id, weight: 1 })));
    expect(answers(ring)).toEqual(before);
  });

  it('may change while it is walked', () => {
    const ring = new HashRing(nodeIds);
    const asked: string[] = [];
    ring.find('user:1', id => {
      asked.push(id);
      ring.remove(id);
      return false;
    });
    expect(asked.sort()).toEqual(nodeIds);
    expect(ring.size).toBe(0);
  });
});

describe('HashRing.movesTo', () => {
  it('returns every hash that moves, and no other', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), changes => {
        const before = new HashRing(['a', 'b', 'c'], { vnodes: 8, hash: placed });
        const after = before.clone();
        const model = new Map(['a', 'b', 'c'].map(id => [id, { weight: 1, down: false }]));
        for (const what of changes) apply(after, model, what);
        fc.pre(after.size > 0);
        const moved = before.movesTo(after);
        const at = (place: number) =>
          moved.find(({ ranges }) => ranges.some(([first, last]) => first <= place && place <= last));
        const edges = moved.flatMap(({ ranges }) =>
          ranges.flatMap(([first, last]) => [first - 1, first, last, last + 1]),
        );
        for (const edge of [...edges, 0, 2 ** 32 - 1]) {
          const place = Math.min(Math.max(edge, 0), 2 ** 32 - 1);
          const [from, to] = [before.get(`#${place}`), after.get(`#${place}`)];
          expect(at(place)).toEqual(from === to ? undefined : expect.objectContaining({ from, to }));
        }
        for (const { ranges, share } of moved) {
          const hashes = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
          expect(share).toBe(hashes / 2 ** 32);
          for (let i = 1; i < ranges.length; i++)
            expect(ranges[i]![0]).toBeGreaterThan(ranges[i - 1]![1] + 1);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('is what the keys do', () => {
    const before = new HashRing(nodeIds);
    const after = before.clone();
    after.add('g');
    const moved = before.movesTo(after);
    expect(moved.map(({ from }) => from)).toEqual(nodeIds);
    expect(moved.every(({ to }) => to === 'g')).toBe(true);
    const share = moved.reduce((sum, movement) => sum + movement.share, 0);
    const counted = keys.filter(key => before.get(key) !== after.get(key)).length / keys.length;
    expect(share).toBeGreaterThan(0.11);
    expect(share).toBeLessThan(0.18);
    expect(Math.abs(share - counted)).toBeLessThan(0.06);
  });

  it('is empty between equal rings and where one has no owner', () => {
    const ring = new HashRing(nodeIds);
    expect(ring.movesTo(new HashRing([...nodeIds].reverse()))).toEqual([]);
    expect(ring.movesTo(new HashRing())).toEqual([]);
    expect(new HashRing().movesTo(ring)).toEqual([]);
  });

  it('refuses a ring that hashes otherwise', () => {
    expect(() => new HashRing(['a']).movesTo(new HashRing(['a'], { hash: placed }))).toThrow(
      InvalidOptionError,
    );
  });
});

describe('HashRing, at its limits', () => {
  it('takes a million nodes with few vnodes and refuses those it cannot hold', () => {
    const million = Array.from({ length: 1_000_000 }, (_, i) => `node-${i}`);
    expect(() => new HashRing(million)).toThrow('the ring would have 160000000 points, more than 16777216');
    const ring = new HashRing(million, { vnodes: 1 });
    expect(ring.size).toBe(1_000_000);
    ring.remove(ring.get('user:1'));
    expect(ring.has(ring.get('user:1'))).toBe(true);
    expect(ring.getN('user:1', 3)).toHaveLength(3);
  });

  it('settles points at one place by id, not by order', () => {
    const hash = () => 7;
    const ring = new HashRing(['b', 'a', 'c'], { hash });
    expect(ring.get('x')).toBe('a');
    expect(new HashRing(['c', 'b', 'a'], { hash }).getN('x', 3)).toEqual(['a', 'b', 'c']);
    ring.remove('a');
    ring.add('0');
    expect(ring.getN('x', 3)).toEqual(['0', 'b', 'c']);
  });
});
