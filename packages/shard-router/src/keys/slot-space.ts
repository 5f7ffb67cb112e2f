import type { KeyType } from './key-column.ts';
import type { Cut, Join, Layout } from './layout.ts';

/** What says in which slot a key is: a part of the map, and of every move. */
export interface SlotSpace {
  readonly key: KeyType;
  /** How many slots there are, those that were cut included. Without cuts and by hash, a power of two. */
  readonly slots: number;
  /** Absent: by hash. */
  readonly layout?: Layout;
  /** In the order in which they were made. */
  readonly cuts?: readonly Cut[];
  /** In the order in which they were made. */
  readonly joins?: readonly Join[];
}

/** Of a map or a move, what says in which slot a key is. */
export function spaceOf({ key, slots, layout, cuts, joins }: SlotSpace): SlotSpace {
  return {
    key,
    slots,
    ...(layout !== undefined && { layout }),
    ...(cuts !== undefined && { cuts }),
    ...(joins !== undefined && { joins }),
  };
}

/** Whether whole tables are in slots, so that the key of a row is the name of its table. */
export function isOfTables({ layout }: Pick<SlotSpace, 'layout'>): boolean {
  return layout?.kind === 'directory' && layout.of === 'tables';
}

/** The key that rows have in their columns: none where whole tables are in slots. */
export function rowKeyOf(space: SlotSpace): KeyType {
  return isOfTables(space) ? [] : space.key;
}
