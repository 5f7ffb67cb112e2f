import { Slots } from '../../src/keys/slots.ts';
import { ownersOf, type ShardMap } from '../../src/map/shard-map.ts';

const slots = new Slots('text', 1_024);
const owners = new WeakMap<ShardMap, readonly string[]>();
/** A million hashes take longer than a move. */
const known = new Map<string, number>();

export function slotOf(customer: string): number {
  let slot = known.get(customer);
  if (slot === undefined) {
    slot = slots.of(customer);
    known.set(customer, slot);
  }
  return slot;
}

/** Asked for each customer, so the map is read once. */
export function ownerOf(map: ShardMap, customer: string): string {
  const ofSlots = owners.get(map) ?? ownersOf(map);
  owners.set(map, ofSlots);
  return ofSlots[slotOf(customer)]!;
}

/** How many slots the shard has. */
export function countOf(map: ShardMap, shard: string): number {
  return ownersOf(map).filter(each => each === shard).length;
}
