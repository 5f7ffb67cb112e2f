import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyType } from '../../src/keys/key-column.ts';
import { Slots } from '../../src/keys/slots.ts';
import { firstMap, type LayoutSpec } from '../../src/map/first-map.ts';
import { faultOf } from '../../src/map/map-fault.ts';
import { Routes } from '../../src/map/routes.ts';
import { ownersOf, rangesOf, type ShardMap } from '../../src/map/shard-map.ts';
import { Impossible } from '../../src/moves/parts/impossible.ts';
import { withJoin } from '../../src/moves/parts/joining.ts';
import { withBound, withOwnSlot } from '../../src/moves/parts/parting.ts';

const slotsOf = (map: ShardMap) => new Slots(map.key, map.slots, map);
const shards = ['a', 'b', 'c'];
const keys = Array.from({ length: 13 }, (_, i) => i * 8 - 50);

const ranges: LayoutSpec = {
  kind: 'range',
  parts: [
    { to: -20, shard: 'a' },
    { from: -20, to: 10, shard: 'a' },
    { from: 10, to: 30, shard: 'b' },
    { from: 30, shard: 'a' },
  ],
};
const directory: LayoutSpec = {
  kind: 'directory',
  entries: [
    { key: -50, shard: 'a' },
    { key: 2, shard: 'b' },
  ],
  rest: 'a',
};
const maps: readonly (readonly [string, ShardMap])[] = [
  ['ranges', firstMap('int8' as KeyType, 1, shards, ranges)],
  ['a directory with a rest', firstMap('int8', 1, shards, directory)],
  ['a hash', firstMap('int8', 4, shards)],
];

type Step = { readonly kind: 'cut' | 'own' | 'join' | 'move'; readonly key: number; readonly to: string };
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('cut', 'own', 'join', 'join', 'move'),
  key: fc.constantFrom(...keys),
  to: fc.constantFrom(...shards),
});

/** The map after a step; the same where the step cannot be. */
function stepped(map: ShardMap, { kind, key, to }: Step): ShardMap {
  try {
    if (kind === 'cut') return withBound(map, key);
    if (kind === 'own') return withOwnSlot(map, key, undefined);
    if (kind === 'join') return withJoin(map, key);
    const owners = ownersOf(map);
    owners[slotsOf(map).of(key)] = to;
    return { ...map, epoch: map.epoch + 1, revision: map.revision + 1, ranges: rangesOf(owners) };
  } catch (error) {
    if (error instanceof Impossible) return map;
    throw error;
  }
}

describe.each(maps)('slots of %s that are cut and joined', (_, first) => {
  it('keep every key where it is, and every number means the slots that have its keys now', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        let map = first;
        let routes = new Routes(map, 0);
        /** The numbers that each key has had. */
        const had = new Map(keys.map(key => [key, new Set([slotsOf(map).of(key)])]));
        for (const each of steps) {
          const was = map;
          map = stepped(map, each);
          const slots = slotsOf(map);
          expect(faultOf(map)).toBeUndefined();
          const live = slots.inOrder();
          expect([...live].sort((a, b) => a - b)).toEqual([...new Set(live)].sort((a, b) => a - b));
          routes = new Routes(map, 1, routes);
          const before = slotsOf(was);
          const faults = keys.flatMap(key => {
            const slot = slots.of(key);
            const owner = ownersOf(map)[slot]!;
            const stays = each.kind === 'move' || owner === ownersOf(was)[before.of(key)];
            // An id with a number that the key has had finds it, or is refused
            const isFound = [...had.get(key)!].every(
              number =>
                slots.live([number]).includes(slot) && ['', owner].includes(routes.ofSlot(number).shard),
            );
            had.get(key)!.add(slot);
            return stays && isFound && live.includes(slot) ? [] : [`${key} in ${slot} on ${owner}`];
          });
          expect(faults).toEqual([]);
        }
      }),
      { numRuns: 40, seed: 15 },
    );
  });

  it('are as before when what was cut is joined in any order', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray([-42, -34, -10, 14, 22, 30, 38], { minLength: 1 }),
        fc.nat(),
        (at, n) => {
          const isCut = first.layout?.kind === 'range' && n % 2 === 0;
          const cut = at.reduce(
            (map, key) => (isCut ? withBound(map, key) : withOwnSlot(map, key, undefined)),
            first,
          );
          let joined = cut;
          // Both sides of a cut may have been cut further: those are joined when one side is whole again
          for (let left = [...at].sort(() => (n % 3) - 1), turn = 0; left.length > 0 && turn < 20; turn++)
            left = left.filter(key => {
              const next = stepped(joined, { kind: 'join', key, to: '' });
              const isDone = next !== joined;
              joined = next;
              return !isDone;
            });
          const slots = slotsOf(joined);
          expect(slots.inOrder()).toHaveLength(slotsOf(first).inOrder().length);
          for (const one of keys)
            for (const other of keys)
              expect(slots.of(one) === slots.of(other)).toBe(
                slotsOf(first).of(one) === slotsOf(first).of(other),
              );
        },
      ),
      { numRuns: 40, seed: 15 },
    );
  });
});

describe('a join', () => {
  const map = firstMap('int8', 1, shards, ranges);

  it('makes one range of two, also of those of the first map', () => {
    expect(slotsOf(map).words(1)).toBe('the keys from "-20" before "10"');
    const one = withJoin(map, -20);
    expect(slotsOf(one).inOrder()).toEqual([0, 2, 3]);
    expect(slotsOf(one).words(0)).toBe('the keys before "10"');
    expect(slotsOf(one).beginsAt(-20)).toBe(false);
    const again = withBound(one, -20);
    expect(slotsOf(again).inOrder()).toHaveLength(4);
    expect(slotsOf(withJoin(again, -20)).inOrder()).toHaveLength(3);
    expect(slotsOf(one).amongSql(['k'], [{ from: 1, to: 2 }])).toBe(
      slotsOf(one).amongSql(['k'], [{ from: 0, to: 1 }]),
    );
    expect(slotsOf(one).amongSql(['k'], [{ from: 0, to: 1 }])).not.toContain('-20');
  });

  it('changes nothing where nothing begins, and is refused where the two are on several shards', () => {
    expect(withJoin(map, 7)).toBe(map);
    expect(() => withJoin(map, 10)).toThrow('slot 2 is on b and slot 1 on a');
    expect(() => withJoin(firstMap('int8', 1, shards, { ...directory, rest: 'c' }), 2)).toThrow('move one');
    const { rest: _, ...strict } = directory;
    expect(() => withJoin(firstMap('int8', 1, shards, strict), 2)).toThrow('`forget`');
  });

  it('is refused while both sides are cut, and not when one of them is whole', () => {
    const cut = [-30, -10, -40, 5].reduce((its, at) => withBound(its, at), map);
    expect(() => withJoin(cut, -20)).toThrow('join those of one side first');
    const one = [-10, 5, -20].reduce((its, at) => withJoin(its, at), cut);
    expect(slotsOf(one).of(-30)).toBe(slotsOf(one).of(9));
    expect(slotsOf(one).of(-31)).not.toBe(slotsOf(one).of(-30));
  });

  it('does not let the record grow for the same slots: what is told of it ends with the cut', () => {
    const cut = withOwnSlot(firstMap('int8', 4, shards), 2, undefined);
    const joined = withJoin(cut, 2);
    expect(slotsOf(joined).sql(['k'])).not.toContain('NOT');
    let text = slotsOf(joined).sql(['k']).length;
    let its = joined;
    for (let n = 0; n < 20; n++) its = withJoin(withOwnSlot(its, 2, undefined), 2);
    text = slotsOf(its).sql(['k']).length / text;
    expect(text).toBeLessThan(1.1);
  });

  it('does not hide from a process that has missed it that a slot has changed hands before', () => {
    const cut = withBound(map, 0);
    const [left, right] = [slotsOf(cut).of(-1), slotsOf(cut).of(0)];
    const routes = new Routes(cut, 0);
    const owners = ownersOf(cut);
    owners[left] = 'b';
    owners[right] = 'b';
    // Only one of the two has changed hands in the epoch that it has missed
    const moved = { ...cut, epoch: 2, revision: 2, ranges: rangesOf(owners.with(left, 'a')) };
    const seen = new Routes(moved, 1, routes);
    const both = { ...cut, epoch: 3, revision: 3, ranges: rangesOf(owners) };
    const joined = withJoin(both, 0);
    const after = new Routes(joined, 2, seen);
    expect(joined.joins).toEqual([{ slot: right, into: left }]);
    expect(after.since(left)).not.toBe(seen.since(left));
    const kept = withJoin(
      { ...moved, ranges: rangesOf(owners.fill('a', right, right + 1).with(left, 'a')) },
      0,
    );
    const missed = new Routes({ ...kept, epoch: 3 }, 2, seen);
    // It was on b, and is on a with the slot that it was joined to
    expect(missed.since(right)).not.toBe(seen.since(right));
    expect(missed.since(left)).toBe(seen.since(left));
  });

  it('is found damaged', () => {
    const one = withJoin(withBound(map, 0), 0);
    const bad = (joins: unknown) => faultOf({ ...one, joins });
    expect(bad('no list')).toContain('joins');
    expect(bad([{ slot: 9, into: 0 }])).toContain('cannot be');
    expect(bad([{ slot: 1, into: 1 }])).toContain('cannot be');
    expect(bad([...one.joins!, ...one.joins!])).toContain('cannot be');
    expect(faultOf({ ...one, cuts: [{ ...one.cuts![0]!, kept: 2 }] })).toContain('keeps no part');
  });
});
