import { withIndexTables } from '../indexes/index-tables.ts';
import type { Slice } from '../keys/layout.ts';
import { isIn } from '../keys/slices.ts';
import { isOfTables, type SlotSpace } from '../keys/slot-space.ts';
import { Slots } from '../keys/slots.ts';
import type { Tables } from '../tables/table.ts';

/** The tables that may have rows of these slots: where whole tables are in slots, those of the slots alone. */
export function movedTables(space: SlotSpace, slices: readonly Slice[], tables: Tables): Tables {
  if (!isOfTables(space)) return withIndexTables(tables, space.key);
  const slots = new Slots(space.key, space.slots, space);
  return Object.fromEntries(Object.entries(tables).filter(([name]) => isIn(slices, slots.of(name))));
}
