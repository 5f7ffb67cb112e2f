import { UnplacedKeyError } from '../errors/routing.ts';
import { maxSlots } from '../ids/id.ts';
import type { ShardKey } from '../keys/key-column.ts';
import type { Cut } from '../keys/layout.ts';
import { isIn } from '../keys/slices.ts';
import { Slots } from '../keys/slots.ts';
import { ownersOf, rangesOf, type ShardMap } from '../map/shard-map.ts';
import type { Obstacle } from './obstacle.ts';

/** The map in which a key has a slot of its own, on the shard that has it now: of a directory without it, on `to`. */
export function withOwnSlot(map: ShardMap, key: ShardKey, to: string | undefined): ShardMap {
  const slots = new Slots(map.key, map.slots, map);
  let slot: number;
  try {
    slot = slots.of(key);
  } catch (error) {
    if (!(error instanceof UnplacedKeyError) || to === undefined) throw error;
    return withEntry(map, slots, key, to);
  }
  if (slots.isAlone(key)) return map;
  return cut(map, { slot, kind: 'only', at: slots.order.toTexts(key) });
}

/** The map in which a slot begins at a key. @throws RangeError where keys are not by range */
export function withBound(map: ShardMap, at: ShardKey): ShardMap {
  if (map.layout?.kind !== 'range')
    throw new RangeError('keys are not in slots by range: no slot has a beginning');
  const slots = new Slots(map.key, map.slots, map);
  const slot = slots.of(at);
  if (slots.isAlone(at)) throw new RangeError(`a slot has this key alone: it cannot be cut there`);
  return slots.beginsAt(at) ? map : cut(map, { slot, kind: 'from', at: slots.order.toTexts(at) });
}

/** Moves of slots that are to be cut. */
export function busyCuts(map: ShardMap, parted: ShardMap): Obstacle[] {
  const cuts = parted.cuts?.slice(map.cuts?.length ?? 0) ?? [];
  const busy = map.moves.filter(({ slices }) => cuts.some(({ slot }) => isIn(slices, slot)));
  return busy.map(({ id, step, from }) => ({
    kind: 'moving',
    shard: from,
    words: `the move ${id} of the slot that is to be cut is at the step ${step}: finish it, or undo it`,
  }));
}

function cut(map: ShardMap, { slot, kind, at }: Omit<Cut, 'into'>): ShardMap {
  const owners = ownersOf(map);
  const into = [map.slots, map.slots + 1] as const;
  const { cuts = [] } = map;
  return grown({ ...map, cuts: [...cuts, { slot, kind, at, into }] }, [
    ...owners,
    owners[slot]!,
    owners[slot]!,
  ]);
}

function withEntry(map: ShardMap, slots: Slots, key: ShardKey, to: string): ShardMap {
  const { layout } = map;
  if (layout?.kind !== 'directory') throw new RangeError('there is no directory');
  const entries = [...layout.entries, { key: slots.order.toTexts(key), slot: map.slots }];
  return grown({ ...map, layout: { ...layout, entries } }, [...ownersOf(map), to]);
}

function grown(map: ShardMap, owners: readonly string[]): ShardMap {
  if (owners.length <= maxSlots) return { ...map, slots: owners.length, ranges: rangesOf(owners) };
  throw new RangeError(
    `the map has ${map.slots} slots, and at most ${maxSlots}, those that were cut included`,
  );
}
