import { describe, InvalidOptionError } from '@ashlar/core';
import type { Column, Row, Value } from '../columns/column.ts';
import { columnOf, columnTypes } from '../columns/column-types.ts';
import { InvalidValueError } from '../errors/statements.ts';
import type { KeyColumn, KeyType, ShardKey } from '../keys/key-column.ts';
import type { ColumnType, IndexSpec, TableSpec } from './table.ts';

/** A table's spec, checked once, with what its columns can do. */
export class Table {
  readonly name: string;
  readonly spec: TableSpec;
  /** Whether its rows are on all shards. */
  readonly isReference: boolean;
  readonly columns: readonly string[];
  readonly #types: ReadonlyMap<string, Column>;
  readonly #key: KeyType;

  /**
   * @param isReference its rows are on all shards
   * @throws InvalidOptionError that says what to do
   */
  constructor(name: string, spec: TableSpec, key: KeyType, isReference = false) {
    checkSpec(name, spec, key);
    this.name = name;
    this.spec = spec;
    this.isReference = isReference;
    this.columns = Object.keys(spec.columns);
    this.#types = new Map(this.columns.map(column => [column, columnOf(spec.columns[column]!)]));
    this.#key = key;
  }

  /** The same with more columns. */
  with(columns: TableSpec['columns']): Table {
    const spec = { ...this.spec, columns: { ...this.spec.columns, ...columns } };
    return new Table(this.name, spec, this.#key, this.isReference);
  }

  /** @throws InvalidValueError when the table has no such column */
  type(column: string): Column {
    const type = this.#types.get(column);
    if (type !== undefined) return type;
    throw new InvalidValueError(
      this.name,
      `has no column ${describe(column)}: it has ${this.columns.join(', ')}`,
    );
  }

  /** The value in the form that the column has. @throws InvalidValueError */
  value(column: string, value: unknown): Value {
    const type = this.type(column);
    if (value === null) return null;
    const parsed = type.parse(value);
    if (parsed !== undefined) return parsed;
    throw new InvalidValueError(
      this.name,
      `takes for ${column} ${type.wants}, or null, got ${type.refusal?.(value) ?? describe(value)}`,
    );
  }

  /** Refuses what is no primary key: whole, and nothing besides. @throws InvalidValueError */
  checkPrimaryKey(given: unknown): void {
    const { primaryKey } = this.spec;
    const columns = this.columnsOf(given);
    const missing = primaryKey.find(column => (given as Row)[column] === undefined);
    if (missing !== undefined)
      throw new InvalidValueError(this.name, `is asked for a row without ${missing} of its primary key`);
    const more = columns.find(column => !primaryKey.includes(column));
    if (more !== undefined)
      throw new InvalidValueError(
        this.name,
        `is asked for a row by ${describe(more)}, which is not in its primary key (${primaryKey.join(', ')})`,
      );
  }

  /** The columns that an object of values has. @throws InvalidValueError when it is none */
  columnsOf(given: unknown): readonly string[] {
    if (typeof given === 'object' && given !== null && !Array.isArray(given)) return Object.keys(given);
    throw new InvalidValueError(this.name, `takes an object of values by column, got ${describe(given)}`);
  }

  /** The shard key of a row, whose columns of the key are not null. */
  keyOf(row: Row): ShardKey {
    // Where whole tables are in slots
    if (this.spec.key.length === 0) return this.name;
    const values = this.spec.key.map(column => keyValue(row[column]));
    return typeof this.#key === 'string' ? values[0]! : values;
  }

  /** Names a row: equal for equal primary keys. */
  identity(row: Row): string {
    const { primaryKey } = this.spec;
    if (primaryKey.length === 1) return this.type(primaryKey[0]!).identity(row[primaryKey[0]!]);
    return JSON.stringify(primaryKey.map(column => this.type(column).identity(row[column])));
  }
}

function keyValue(value: Value): string | number | bigint {
  return value;
}

/** The types of columns that a column of the key may have in a table. */
const fits: Readonly<Record<KeyColumn, readonly ColumnType[]>> = {
  int8: ['int8', 'int4'],
  text: ['text'],
  uuid: ['uuid'],
};

/** Bytes that PostgreSQL keeps of a name. */
const longest = 63;

function isTooLong(name: string): boolean {
  return new TextEncoder().encode(name).length > longest;
}

function checkSpec(name: string, spec: TableSpec, key: KeyType): void {
  const option = `tables.${name}`;
  const refuse = (why: string): never => {
    throw new InvalidOptionError(option, `the table ${describe(name)} ${why}`);
  };
  if (!/^[^."\0]+(\.[^."\0]+)?$/.test(name) || name === '__proto__')
    refuse('needs a name as `orders` or `shop.orders`');
  if (name.split('.').some(isTooLong))
    refuse(`has a name of more than ${longest} bytes, which PostgreSQL cuts off`);
  const { primaryKey, key: keyColumns } = (spec ?? {}) as Partial<TableSpec>;
  const columns: TableSpec['columns'] = spec?.columns ?? {};
  if (Object.keys(columns).length === 0) refuse('names no `columns`');
  for (const [column, type] of Object.entries(columns)) {
    if (!columnTypes.includes(type))
      refuse(`has ${column} of the type ${describe(type)}: there are ${columnTypes.join(', ')}`);
    if (column === '' || isTooLong(column) || /["\0]|^__proto__$/.test(column))
      refuse(`has a column ${describe(column)}`);
  }
  const isWhole = typeof key !== 'string' && key.length === 0;
  for (const [list, given] of Object.entries({ key: keyColumns, primaryKey })) {
    if (list === 'key' && isWhole && Array.isArray(given) && given.length === 0) continue;
    if (!Array.isArray(given) || given.length === 0) {
      refuse(`names no columns in \`${list}\``);
      continue;
    }
    const unknown = given.find(column => !Object.hasOwn(columns, column));
    if (unknown !== undefined)
      refuse(`names ${describe(unknown)} in \`${list}\`, which is not in \`columns\``);
    if (new Set(given).size < given.length) refuse(`names a column twice in \`${list}\``);
  }
  const wanted = typeof key === 'string' ? [key] : key;
  if (keyColumns!.length !== wanted.length) {
    refuse(
      `has ${keyColumns!.length} columns in \`key\`, and the router's key ${wanted.length} (${wanted.join(', ')})`,
    );
  }
  for (const [i, column] of keyColumns!.entries()) {
    const type = columns[column]!;
    if (!fits[wanted[i]!].includes(type))
      refuse(`has ${column} of the type ${type}, and the router's key has ${wanted[i]}`);
    if (!primaryKey!.includes(column)) {
      refuse(
        `has not ${column} in its primary key: make it PRIMARY KEY (${[column, ...primaryKey!].join(', ')})`,
      );
    }
  }
  for (const [index, { columns: indexed } = {} as Partial<IndexSpec>] of Object.entries(spec.indexes ?? {})) {
    if (!/^\w{1,30}$/.test(index))
      refuse(`has an index ${describe(index)}: name it in letters, digits and _`);
    const bad = (indexed ?? ['']).find(
      column => !Object.hasOwn(columns, column) || columns[column] === 'jsonb',
    );
    if (bad !== undefined || indexed!.length === 0)
      refuse(`has an index ${index} of ${describe(indexed)}: name columns that can be compared`);
  }
  const unordered = primaryKey!.find(column => columns[column] === 'jsonb');
  if (unordered !== undefined)
    refuse(`has ${unordered} in its primary key, which is jsonb and has no order here`);
}
