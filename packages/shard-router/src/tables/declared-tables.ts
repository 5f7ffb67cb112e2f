import { describe, InvalidOptionError } from '@ashlar/core';
import { InvalidValueError } from '../errors/statements.ts';
import { Indexes } from '../indexes/index.ts';
import { withIndexTables } from '../indexes/index-tables.ts';
import type { KeyType } from '../keys/key-column.ts';
import type { Tables } from './table.ts';
import { Table } from './table-of.ts';

/** The tables that a router was given. */
export class DeclaredTables {
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #indexes: ReadonlyMap<string, Indexes>;

  /** @throws InvalidOptionError */
  constructor(tables: Tables, key: KeyType) {
    this.#tables = new Map(Object.entries(tables).map(([name, spec]) => [name, new Table(name, spec, key)]));
    const indexed = [...this.#tables.values()].filter(
      ({ spec }) => Object.keys(spec.indexes ?? {}).length > 0,
    );
    this.#indexes = new Map(indexed.map(table => [table.name, new Indexes(table, key)]));
    const own = Object.keys(withIndexTables(tables, key)).length - this.#tables.size;
    const needed = indexed.reduce((sum, { spec }) => sum + 1 + Object.keys(spec.indexes!).length, 0);
    if (own < needed)
      throw new InvalidOptionError(
        'tables',
        'a table has the name of one that an index needs: rename the index',
      );
  }

  /** Those that have indexes. */
  get indexed(): readonly Indexes[] {
    return [...this.#indexes.values()];
  }

  /** The indexes of a table; undefined when it has none. */
  indexesOf(name: string): Indexes | undefined {
    return this.#indexes.get(name);
  }

  /** @throws InvalidValueError when there is none of that name */
  get(name: string): Table {
    const table = this.#tables.get(name);
    if (table !== undefined) return table;
    const known = [...this.#tables.keys()].join(', ') || 'none';
    throw new InvalidValueError(
      String(describe(name)),
      `is not in the \`tables\` of the router, which has ${known}`,
    );
  }
}
