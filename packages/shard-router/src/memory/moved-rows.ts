import type { Row } from '../columns/column.ts';
import { rowKeyOf, type SlotSpace } from '../keys/slot-space.ts';
import { Slots } from '../keys/slots.ts';
import type { Slice } from '../moves/move-backend.ts';
import type { Tables } from '../tables/table.ts';
import { Table } from '../tables/table-of.ts';

/** The rows of some slots: what a move is about. */
export interface Moved extends SlotSpace {
  readonly slices: readonly Slice[];
  readonly tables: Tables;
}

/** Says which rows these are. */
export class MovedRows {
  readonly tables: readonly Table[];
  readonly #byName: ReadonlyMap<string, Table>;
  readonly #slots: Slots;
  readonly #isMoved: readonly boolean[];

  constructor(moved: Moved) {
    const { slices, key, slots, tables } = moved;
    const rowKey = rowKeyOf(moved);
    this.tables = Object.entries(tables).map(([name, spec]) => new Table(name, spec, rowKey));
    this.#byName = new Map(this.tables.map(table => [table.name, table]));
    this.#slots = new Slots(key, slots, moved);
    this.#isMoved = Array.from({ length: slots }, (_, slot) =>
      slices.some(({ from, to }) => from <= slot && slot < to),
    );
  }

  hasTable(name: string): boolean {
    return this.#byName.has(name);
  }

  has(table: string, row: Row): boolean {
    const its = this.#byName.get(table);
    if (its === undefined) return false;
    // A key that has no slot is in none of these
    const slot = this.#slots.find(its.keyOf(row));
    return slot !== undefined && this.#isMoved[slot]!;
  }
}
