import type { Row } from '../columns/column.ts';
import { InvalidValueError } from '../errors/statements.ts';
import type { KeyType } from '../keys/key-column.ts';
import type { Condition } from '../tables/statement.ts';
import { Table } from '../tables/table-of.ts';
import { claimsName, entriesName, entryKey, indexTablesOf } from './index-tables.ts';

/** Characters of the values of an entry: a database has no index of much longer ones. */
const longest = 1_000;

/** A claim on an entry: in the entry and beside the row, which so belong together. */
export interface Claim {
  readonly index: Index;
  readonly value: string;
  readonly claim: string;
}

/** One index of a table, over all shards. */
export class Index {
  readonly name: string;
  readonly table: Table;
  readonly columns: readonly string[];
  readonly isUnique: boolean;
  readonly entries: Table;
  readonly #key: KeyType;

  constructor(table: Table, name: string, key: KeyType) {
    const { columns, unique = false } = table.spec.indexes![name]!;
    this.name = name;
    this.table = table;
    this.columns = columns;
    this.isUnique = unique;
    this.#key = key;
    const entries = entriesName(table.name, name);
    this.entries = new Table(entries, indexTablesOf(table.name, table.spec, key)[entries]!, key);
  }

  /** The value of a row, as text that is equal for equal ones; undefined when a column is null: such a row has no entry. @throws InvalidValueError */
  valueOf(row: Row): string | undefined {
    if (this.columns.some(column => (row[column] ?? null) === null)) return undefined;
    const value = JSON.stringify(this.columns.map(column => this.table.type(column).identity(row[column])));
    if (value.length <= longest) return value;
    throw new InvalidValueError(
      this.table.name,
      `takes up to ${longest} characters in the index ${this.name}`,
    );
  }

  /** The columns of the entry's key. */
  keyOf(value: string): Row {
    return entryKey(this.#key, value);
  }

  /** The entries of a value; of a unique index there is one at most. */
  where(value: string): readonly Condition[] {
    const key = Object.entries(this.keyOf(value)).map(
      ([column, each]) => ({ column, op: '=', value: each }) as const,
    );
    return [...key, { column: 'value', op: '=', value }];
  }
}

/** The indexes of a table, and where the claims of its rows are. */
export class Indexes {
  readonly table: Table;
  readonly all: readonly Index[];
  readonly claims: Table;

  constructor(table: Table, key: KeyType) {
    this.table = table;
    this.all = Object.keys(table.spec.indexes!).map(name => new Index(table, name, key));
    const claims = claimsName(table.name);
    this.claims = new Table(claims, indexTablesOf(table.name, table.spec, key)[claims]!, key);
  }

  /** @throws InvalidValueError when there is none of that name */
  get(name: string): Index {
    const index = this.all.find(each => each.name === name);
    if (index !== undefined) return index;
    throw new InvalidValueError(
      this.table.name,
      `has no index ${JSON.stringify(name)}: it has ${this.all.map(each => each.name).join(', ')}`,
    );
  }

  /** Whether one of these columns is indexed. */
  has(columns: readonly string[]): boolean {
    return this.all.some(index => index.columns.some(column => columns.includes(column)));
  }

  /** The columns of the shard key of a row. */
  keyOf(row: Row): Row {
    return Object.fromEntries(this.table.spec.key.map(column => [column, row[column]]));
  }
}

/** A primary key as text, from which it can be read again. */
export function textOf(table: Table, row: Row): string {
  return JSON.stringify(table.spec.primaryKey.map(column => table.type(column).toText(row[column])));
}

/** The columns of the primary key that a text says. */
export function rowOf(table: Table, text: string): Row {
  const values = JSON.parse(text) as readonly string[];
  return Object.fromEntries(
    table.spec.primaryKey.map((column, i) => [column, table.type(column).fromText(values[i]!)]),
  );
}

/** The row of a primary key, as a condition. */
export function equalTo(row: Row): readonly Condition[] {
  return Object.entries(row).map(([column, value]) => ({ column, op: '=', value }));
}
