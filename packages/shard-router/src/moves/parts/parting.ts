import { UnplacedKeyError } from '../../errors/routing.ts';
import { maxSlots } from '../../ids/id.ts';
import type { ShardKey } from '../../keys/key-column.ts';
import type { Cut, Join, Layout } from '../../keys/layout.ts';
import { isIn } from '../../keys/slices.ts';
import { Slots } from '../../keys/slots.ts';
import { ownersOf, rangesOf, type ShardMap, withRetired } from '../../map/shard-map.ts';
import type { Obstacle } from '../obstacle.ts';
import { Impossible } from './impossible.ts';

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

/** The map in which a slot begins at a key. @throws Impossible where keys are not by range */
export function withBound(map: ShardMap, at: ShardKey): ShardMap {
  if (map.layout?.kind !== 'range')
    throw new Impossible('keys are not in slots by range: no slot has a beginning');
  const slots = new Slots(map.key, map.slots, map);
  const slot = slots.of(at);
  if (slots.isAlone(at)) throw new Impossible(`a slot has this key alone: it cannot be cut there`);
  return slots.beginsAt(at) ? map : cut(map, { slot, kind: 'from', at: slots.order.toTexts(at) });
}

/** Moves of slots that are to be cut or joined. */
export function busyCuts(map: ShardMap, parted: ShardMap): Obstacle[] {
  const cuts: readonly Cut[] = parted.cuts?.slice(map.cuts?.length ?? 0) ?? [];
  const joins: readonly Join[] = parted.joins?.slice(map.joins?.length ?? 0) ?? [];
  const slots = [...cuts.map(({ slot }) => slot), ...joins.flatMap(({ slot, into }) => [slot, into])];
  const busy = map.moves.filter(({ slices }) => slots.some(slot => isIn(slices, slot)));
  return busy.map(({ id, step, from }) => ({
    kind: 'moving',
    shard: from,
    words: `the move ${id} of the slot that is to be ${cuts.length > 0 ? 'cut' : 'joined'} is at the step ${step}: finish it, or undo it`,
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
  if (layout?.kind !== 'directory') throw new Impossible('there is no directory');
  const texts = slots.order.toTexts(key);
  const { free = [], spent = [] } = layout;
  // The number that it had, or that of another which was forgotten
  const its = [...free, ...spent].find(each => JSON.stringify(each.key) === JSON.stringify(texts));
  const slot = (its ?? free[0])?.slot ?? map.slots;
  const [freeStill, spentStill] = [free, spent].map(list => list.filter(each => each.slot !== slot));
  const isSpent = spent.some(each => each.slot === slot);
  const owners = ownersOf(map);
  owners[slot] = to;
  const { free: _, spent: __, ...others } = layout;
  const next: Layout = {
    ...others,
    entries: [...layout.entries, { key: texts, slot, ...(isSpent && { isSpent }) }],
    ...(freeStill!.length > 0 && { free: freeStill }),
    ...(spentStill!.length > 0 && { spent: spentStill }),
  };
  return grown({ ...map, layout: next }, owners);
}

function grown(map: ShardMap, owners: readonly string[]): ShardMap {
  if (owners.length > maxSlots)
    throw new Impossible(
      `the map has ${map.slots} slots, and at most ${maxSlots}, those that were cut or joined included`,
    );
  const its = { ...map, slots: owners.length };
  return { ...its, ranges: rangesOf(withRetired(owners, its)) };
}
