import { slotsOf } from '../keys/slices.ts';
import { Slots } from '../keys/slots.ts';
import { layoutFaultOf } from './layout-fault.ts';
import { type Moving, moveSteps, ownerOf } from './moving.ts';
import { ownersOf, type ShardMap } from './shard-map.ts';

/** What is wrong with a map, in words; undefined when nothing is. */
export function faultOf(map: unknown): string | undefined {
  const { format = 1, epoch, revision, key, slots, ranges, seen, moves } = (map ?? {}) as Partial<ShardMap>;
  if (!Number.isSafeInteger(format) || format < 1) return 'has no format';
  if (!Number.isSafeInteger(epoch) || epoch! < 1) return 'has no epoch';
  if (!Number.isSafeInteger(revision) || revision! < epoch!) return 'has no revision';
  if (typeof key !== 'string' && !Array.isArray(key)) return 'has no type of key';
  const layoutFault = layoutFaultOf(map as ShardMap);
  if (layoutFault !== undefined) return layoutFault;
  if (!Array.isArray(ranges) || ranges.length === 0) return 'has no ranges';
  for (const [i, { from, shard }] of ranges.entries()) {
    if (typeof shard !== 'string') return `names no shard for the slots from ${from}`;
    if (i === 0 ? from !== 0 : !(from > ranges[i - 1].from)) return `has a gap or an overlap at slot ${from}`;
    if (!Number.isSafeInteger(from) || from >= slots!)
      return `has a range from ${from}, beyond its ${slots} slots`;
  }
  const positions = [
    seen ?? {},
    ...(Array.isArray(moves) ? moves.map(move => ({ '': move?.seen ?? [] })) : []),
  ];
  if (!positions.every(each => Object.values(each).every(isSeen))) return 'has positions that are none';
  return faultOfMoves(map as ShardMap);
}

/** What is wrong with the moves of a map whose ranges are right, in words. */
function faultOfMoves(map: ShardMap): string | undefined {
  if (!Array.isArray(map.moves)) return 'has no list of moves';
  const owners = ownersOf(map);
  const taken = new Set<number>();
  const ids = new Set<unknown>();
  const slots = new Slots(map.key, map.slots, map);
  for (const move of map.moves as readonly Moving[]) {
    const { id, from, to, slices, step, lost } = move;
    if (typeof id !== 'string' || ids.has(id)) return `has two moves of one name, or one without`;
    ids.add(id);
    if (typeof from !== 'string' || typeof to !== 'string' || from === to)
      return `has the move ${id} from nowhere to nowhere`;
    if (!moveSteps.includes(step)) return `has the move ${id} at an unknown step`;
    if (lost !== undefined && lost !== from && lost !== to)
      return `has the move ${id} without a shard of others`;
    if (!Array.isArray(slices) || slices.length === 0) return `has the move ${id} without slots`;
    for (const slice of slices) {
      const isSlice = Number.isSafeInteger(slice?.from) && Number.isSafeInteger(slice?.to);
      if (!isSlice || slice.from < 0 || slice.from >= slice.to || slice.to > map.slots)
        return `has the move ${id} of slots that there are not`;
    }
    for (const slot of slotsOf(slices)) {
      if (taken.has(slot)) return `moves slot ${slot} twice`;
      taken.add(slot);
      if (slots.isRetired(slot))
        return `has the move ${id} of slot ${slot}, which was cut, joined or forgotten`;
      if (owners[slot] !== ownerOf(move))
        return `has slot ${slot} on ${owners[slot]}, but the move ${id} says it is on ${ownerOf(move)}`;
    }
  }
  return undefined;
}

function isSeen(positions: unknown): boolean {
  if (!Array.isArray(positions)) return false;
  return positions.every(
    ({ resource, term, offset }) =>
      typeof resource === 'string' && Number.isSafeInteger(term) && /^\d{1,30}$/.test(offset),
  );
}
