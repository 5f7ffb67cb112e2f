import { getJson, type Store, setJson } from '@ashlar/store';
import type { Row } from '../columns/column.ts';
import type { Delete, Insert, Select } from '../tables/statement.ts';
import { keyOrder } from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';

/** One write, as rows: it does the same on each shard that has the version before it. */
export interface ReferenceChange {
  readonly kind: 'insert' | 'upsert' | 'delete';
  /** Whole rows, or primary keys. */
  readonly rows: readonly Row[];
}

/** The last version of a table, and the write that made it. */
export interface Head {
  readonly version: number;
  readonly change: ReferenceChange;
  /** Of the record in the store; undefined before the first write. */
  readonly record: string | undefined;
}

interface HeadRecord {
  readonly version: number;
  readonly kind: ReferenceChange['kind'];
  readonly rows: readonly Readonly<Record<string, string | null>>[];
}

/** The record of a reference table in the store: whoever makes the next version wins it there. */
export class Heads {
  readonly #store: Store;
  readonly #key: string;
  readonly #table: Table;

  constructor(store: Store, router: string, table: Table) {
    this.#store = store;
    this.#key = `shards:${encodeURIComponent(router)}:references:${table.name}`;
    this.#table = table;
  }

  async read(): Promise<Head> {
    const entry = await getJson<HeadRecord>(this.#store, this.#key);
    if (entry === undefined) return { version: 0, change: { kind: 'upsert', rows: [] }, record: undefined };
    const { version, kind, rows } = entry.value;
    const values = rows.map(row =>
      Object.fromEntries(
        Object.entries(row).map(([column, text]) => [
          column,
          text === null ? null : this.#table.type(column).fromText(text),
        ]),
      ),
    );
    return { version, change: { kind, rows: values }, record: entry.version };
  }

  /** Makes the version after this one. @throws VersionConflictError when another has, the store's error */
  async write(before: Head, { kind, rows }: ReferenceChange): Promise<Head> {
    const texts = rows.map(row =>
      Object.fromEntries(
        Object.entries(row).map(([column, value]) => [
          column,
          value === null ? null : this.#table.type(column).toText(value),
        ]),
      ),
    );
    const version = before.version + 1;
    const record = await setJson(
      this.#store,
      this.#key,
      { version, kind, rows: texts } satisfies HeadRecord,
      {
        ifVersion: before.record ?? 'absent',
      },
    );
    return { version, change: { kind, rows }, record };
  }
}

/** What a shard is asked to do for a change, in order. */
export function statementsOf(table: Table, { kind, rows }: ReferenceChange): readonly (Insert | Delete)[] {
  if (rows.length === 0) return [];
  if (kind === 'delete') return rows.map(row => ({ kind: 'delete', table, where: equal(table, row) }));
  return [{ kind: 'insert', table, rows, onConflict: kind === 'insert' ? 'fail' : 'update' }];
}

/** All rows, in the order of their primary keys. */
export function wholeOf(table: Table): Select {
  return {
    kind: 'select',
    table,
    columns: table.columns,
    where: [],
    orderBy: keyOrder(table),
    limit: undefined,
  };
}

/** The row of this primary key. */
function equal(table: Table, row: Row): Delete['where'] {
  return table.spec.primaryKey.map(column => ({ column, op: '=', value: row[column] }));
}
