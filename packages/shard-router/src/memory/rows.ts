import type { Row } from '../columns/column.ts';
import type { Table } from '../tables/table-of.ts';

/** Rows by their identity, as one transaction sees and leaves them; undefined: deleted. */
export type Changes = Map<string, { readonly table: Table; readonly rows: Map<string, Row | undefined> }>;

/** The tables of one shard: what is committed. */
export class Rows {
  readonly #tables = new Map<string, Map<string, Row>>();

  get(table: string, id: string): Row | undefined {
    return this.#tables.get(table)?.get(id);
  }

  /** The rows of a table as a transaction sees them, by identity. */
  *all(table: string, changes?: Changes): Generator<readonly [string, Row]> {
    const changed = changes?.get(table)?.rows;
    for (const [id, row] of this.#tables.get(table) ?? []) if (!changed?.has(id)) yield [id, row];
    for (const [id, row] of changed ?? []) if (row !== undefined) yield [id, row];
  }

  put(table: string, id: string, row: Row | undefined): void {
    let rows = this.#tables.get(table);
    if (rows === undefined) {
      rows = new Map();
      this.#tables.set(table, rows);
    }
    if (row === undefined) rows.delete(id);
    else rows.set(id, row);
  }
}
