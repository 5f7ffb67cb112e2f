import { expect, it } from 'vitest';
import { firstMap } from '../../src/map/first-map.ts';
import { Routes } from '../../src/map/routes.ts';
import { ownersOf, rangesOf, type ShardMap } from '../../src/map/shard-map.ts';
import { withJoin } from '../../src/moves/parts/joining.ts';

it('a slot has changed hands as late as those that were joined to it, for whoever asks how old its rows are', () => {
  const entries = [{ key: 30, shard: 'a' }];
  const first = firstMap('int8', 16, ['a', 'b'], { kind: 'directory', entries, rest: 'b' });
  const before = new Routes(first, 1_000);
  const { slot } = before.of(30);
  const owners = ownersOf(first).map((owner, at) => (at === slot ? 'b' : owner));
  const moved: ShardMap = { ...first, epoch: 2, revision: 2, ranges: rangesOf(owners) };
  const after = new Routes(moved, 5_000, before);
  expect([after.changedAt(slot), after.changedAt(after.of(7).slot)]).toEqual([5_000, 1_000]);
  const joined = new Routes({ ...withJoin(moved, 30), revision: 3 }, 6_000, after);
  expect(joined.changedAt(joined.of(30).slot)).toBe(5_000);
  // What is under way in the other keys goes on
  expect(joined.since(joined.of(7).slot)).toBe(1);
  const later = new Routes({ ...joined.map, revision: 4 }, 7_000, joined);
  expect(later.changedAt(later.of(30).slot)).toBe(5_000);
});
