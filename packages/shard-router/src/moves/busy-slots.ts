import { isIn, slotsOf } from '../keys/slices.ts';
import { Slots } from '../keys/slots.ts';
import type { ShardMap } from '../map/shard-map.ts';
import type { Obstacle } from './obstacle.ts';
import type { SlotMove } from './planner.ts';

/** Slots that are not where the move says, or on the move already. */
export function busyObstacles(map: ShardMap, { from, slices }: SlotMove): Obstacle[] {
  const bad = slices.find(slice => !(slice.from >= 0 && slice.from < slice.to && slice.to <= map.slots));
  if (bad !== undefined) {
    const words = `there are no slots from ${bad.from} to ${bad.to}: the map has ${map.slots}`;
    return [{ kind: 'no_slots', shard: from, words }];
  }
  const slots = slotsOf(slices);
  const cut = map.cuts?.find(({ slot }) => slots.includes(slot));
  if (cut !== undefined) {
    const words = `slot ${cut.slot} was cut into ${cut.into.join(' and ')}: move these`;
    return [{ kind: 'no_slots', shard: from, words }];
  }
  const gone = slots.find(slot => new Slots(map.key, map.slots, map).isRetired(slot));
  if (gone !== undefined) {
    const into = map.joins?.find(({ slot }) => slot === gone)?.into;
    const words =
      into === undefined
        ? `slot ${gone} has no key: its entry was forgotten`
        : `slot ${gone} was joined to ${into}: move that`;
    return [{ kind: 'no_slots', shard: from, words }];
  }
  const busy = map.moves.filter(other => slots.some(slot => isIn(other.slices, slot)));
  const found = busy.map(({ id, step }) => ({
    kind: 'moving',
    shard: from,
    words: `the move ${id} of these slots is at the step ${step}: finish it, or undo it`,
  }));
  const strange = slots.find(slot => ownerIn(map, slot) !== from);
  if (strange === undefined) return found;
  const words = `slot ${strange} is on ${ownerIn(map, strange)}, not on ${from}`;
  return [...found, { kind: 'other_shard', shard: from, words }];
}

function ownerIn({ ranges }: ShardMap, slot: number): string {
  return ranges.findLast(({ from }) => from <= slot)!.shard;
}
