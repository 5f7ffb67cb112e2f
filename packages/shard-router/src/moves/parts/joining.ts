import { Cuts } from '../../keys/cuts.ts';
import type { ShardKey } from '../../keys/key-column.ts';
import { baseOf, type Cut, KeyOrder } from '../../keys/layout.ts';
import { Slots } from '../../keys/slots.ts';
import { ownersOf, rangesOf, type ShardMap, withRetired } from '../../map/shard-map.ts';
import { Impossible } from './impossible.ts';

/** Two slots that are to be one. */
interface Joint {
  /** Has no keys then. */
  readonly lost: number;
  /** Has those of both. */
  readonly into: number;
  /** What of the map says that they are two, without that. */
  readonly without: (map: ShardMap) => ShardMap;
}

/**
 * The map in which a key does not part two slots any more: the range that begins at it is one with that before it, and the key that has
 * a slot of its own is among the others again. The same map when nothing begins there.
 *
 * @throws Impossible when the two are on several shards, or both were cut further
 */
export function withJoin(map: ShardMap, at: ShardKey): ShardMap {
  const joint = jointAt(map, at);
  if (joint === undefined) return map;
  const { lost, into, without } = joint;
  const owners = ownersOf(map);
  if (owners[lost] !== owners[into])
    throw new Impossible(
      `slot ${lost} is on ${owners[lost]} and slot ${into} on ${owners[into]}: move one of them first, and finish the move`,
    );
  const joined = { ...without(map), joins: [...(map.joins ?? []), { slot: lost, into }] };
  return { ...joined, ranges: rangesOf(withRetired(owners, joined)) };
}

function jointAt(map: ShardMap, at: ShardKey): Joint | undefined {
  const { layout, cuts: all = [], joins = [] } = map;
  const order = new KeyOrder(map.key);
  const cuts = new Cuts(all, joins, order);
  const name = JSON.stringify(order.toTexts(at));
  const slot = new Slots(map.key, map.slots, map).find(at);
  if (slot === undefined) return undefined;
  const found = cuts.pathTo(slot).find(({ cut, isIn }) => isIn && JSON.stringify(cut.at) === name);
  if (found !== undefined) return ofCut(found.cut, cuts, at);
  if (layout?.kind === 'range') {
    const bound = layout.bounds.findIndex(each => JSON.stringify(each) === name);
    return bound < 0 ? undefined : ofBound(bound, cuts, at);
  }
  if (layout?.kind !== 'directory' || !layout.entries.some(({ key }) => JSON.stringify(key) === name))
    return undefined;
  const { rest } = layout;
  if (layout.of === 'tables' || rest === undefined)
    throw new Impossible('there is no slot for keys without an entry: `forget` takes an entry out');
  const entries = layout.entries.filter(({ key }) => JSON.stringify(key) !== name);
  const without = { ...layout, entries };
  return {
    lost: slot,
    into: cuts.partOf(baseOf(without, order).of(at)!, at),
    without: its => ({ ...its, layout: without }),
  };
}

/** Of two parts, one that was not cut further is joined to that of the other which is beside it. */
function ofCut(cut: Cut, cuts: Cuts, at: ShardKey): Joint {
  const [first, second] = cut.into.map(part => cuts.partsOf(part)) as [number[], number[]];
  const keeping = (kept: 0 | 1) => (map: ShardMap) => ({
    ...map,
    cuts: map.cuts!.map(each => (each.slot === cut.slot ? { ...each, kept } : each)),
  });
  if (second.length === 1)
    return { lost: second[0]!, into: cuts.partOf(cut.into[0], at), without: keeping(0) };
  if (first.length === 1) return { lost: first[0]!, into: second[0]!, without: keeping(1) };
  throw cutFurther([...first, ...second]);
}

/** The same of two ranges from the beginning. Undefined when they are joined already. */
function ofBound(bound: number, cuts: Cuts, at: ShardKey): Joint | undefined {
  const before = cuts.partOf(bound, at);
  const [after] = cuts.partsOf(bound + 1) as [number];
  const [left, right] = [before, after].map(slot => cuts.partsOf(cuts.rootOf(slot))) as [number[], number[]];
  if (cuts.rootOf(before) === cuts.rootOf(after)) return undefined;
  const without = (map: ShardMap) => map;
  if (right.length === 1) return { lost: after, into: before, without };
  if (left.length === 1) return { lost: before, into: after, without };
  throw cutFurther([...left, ...right]);
}

function cutFurther(slots: readonly number[]): Impossible {
  return new Impossible(
    `both sides were cut further, into the slots ${slots.join(', ')}: join those of one side first`,
  );
}
