import { withIndexTables } from '../indexes/index-tables.ts';
import type { Slice } from '../keys/layout.ts';
import { isIn } from '../keys/slices.ts';
import { isOfTables, type SlotSpace } from '../keys/slot-space.ts';
import { Slots } from '../keys/slots.ts';
import { isCommitted, type Moving } from '../map/moving.ts';
import type { Tables } from '../tables/table.ts';

/** The tables that may have rows of these slots: where whole tables are in slots, those of the slots alone. */
export function movedTables(space: SlotSpace, slices: readonly Slice[], tables: Tables): Tables {
  if (!isOfTables(space)) return withIndexTables(tables, space.key);
  const slots = new Slots(space.key, space.slots, space);
  const isMoved = (slot: number | undefined) => slot !== undefined && isIn(slices, slot);
  // One that was forgotten, or is not placed yet, is nowhere
  return Object.fromEntries(Object.entries(tables).filter(([name]) => isMoved(slots.find(name))));
}

/** Their names, sorted: as a move keeps them. */
export function movedNames(space: SlotSpace, slices: readonly Slice[], tables: Tables): string[] {
  return Object.keys(movedTables(space, slices, tables)).sort();
}

/**
 * Why a mover with these tables must not work on a move that began with others, as where a new version of a program takes over from the one before:
 * rows of a table that is not copied, or not fenced, would be lost. What is over but for its end needs no more than its own.
 */
export function tablesFault(space: SlotSpace, move: Moving, tables: Tables): string | undefined {
  if (move.tables === undefined) return undefined;
  const own = movedNames(space, move.slices, tables);
  const isEnding = isCommitted(move) || move.step === 'aborting';
  const isFit =
    move.tables.every(table => own.includes(table)) && (isEnding || own.length === move.tables.length);
  if (isFit) return undefined;
  return `it began with the tables ${move.tables.join(', ')}, and this mover has ${own.join(', ')}: run it with those, or undo it`;
}
