import type { KeyColumn, KeyType } from '../keys/key-column.ts';
import { type Hash64, hashBytes } from '../keys/postgres-hash.ts';
import type { ColumnType, TableSpec, Tables } from '../tables/table.ts';

/** Where an index keeps its entries: a table of its own, sharded by the indexed value. */
export function entriesName(table: string, index: string): string {
  return `${table}_by_${index}`;
}

/** Where the claims of a table's rows are: beside the rows, and they move with them. */
export function claimsName(table: string): string {
  return `${table}_claims`;
}

function columnsOf(key: KeyType): readonly KeyColumn[] {
  return typeof key === 'string' ? [key] : key;
}

/** `k0`, `k1`: the key of an entry, which is a hash of its value in the type of the router's key. */
function entriesSpec(key: KeyType, isUnique: boolean): TableSpec {
  const names = columnsOf(key).map((_, i) => `k${i}`);
  const columns = Object.fromEntries(columnsOf(key).map((type, i) => [`k${i}`, type as ColumnType]));
  return {
    key: names,
    primaryKey: [...names, 'value', ...(isUnique ? [] : ['id'])],
    columns: {
      ...columns,
      value: 'text',
      id: 'text',
      row: 'text',
      claim: 'text',
      live: 'bool',
      at: 'int8',
      former: 'text',
    },
  };
}

function claimsSpec({ key, columns }: TableSpec): TableSpec {
  const own = Object.fromEntries(key.map(column => [column, columns[column]!]));
  return {
    key,
    primaryKey: [...key, 'ashlar_claim'],
    columns: {
      ...own,
      ashlar_claim: 'text',
      ashlar_row: 'text',
      ashlar_index: 'text',
      ashlar_value: 'text',
      ashlar_void: 'bool',
      ashlar_gone: 'bool',
    },
  };
}

/** The tables that the indexes of a table need, by name. */
export function indexTablesOf(name: string, spec: TableSpec, key: KeyType): Tables {
  const indexes = Object.entries(spec.indexes ?? {});
  if (indexes.length === 0) return {};
  const entries = indexes.map(([index, { unique = false }]) => [
    entriesName(name, index),
    entriesSpec(key, unique),
  ]);
  return { ...Object.fromEntries(entries), [claimsName(name)]: claimsSpec(spec) };
}

/** The tables, with those that their indexes need: what moves. */
export function withIndexTables(tables: Tables, key: KeyType): Tables {
  const more = Object.entries(tables).map(([name, spec]) => indexTablesOf(name, spec, key));
  return Object.assign({}, tables, ...more);
}

const encoder = new TextEncoder();

/** The key of a value's entry, as the columns `k0`, `k1`. */
export function entryKey(key: KeyType, value: string): Readonly<Record<string, string | bigint>> {
  const bytes = encoder.encode(value);
  const [first, second]: [Hash64, Hash64] = [
    { high: 0, low: 0 },
    { high: 0, low: 0 },
  ];
  hashBytes(bytes, bytes.length, undefined, first);
  hashBytes(bytes, bytes.length, first, second);
  const [high, low] = [hex(first), hex(second)];
  const of: Readonly<Record<KeyColumn, string | bigint>> = {
    int8: BigInt.asIntN(64, BigInt(`0x${high}`)),
    text: high,
    uuid: `${high.slice(0, 8)}-${high.slice(8, 12)}-${high.slice(12)}-${low.slice(0, 4)}-${low.slice(4)}`,
  };
  return Object.fromEntries(columnsOf(key).map((type, i) => [`k${i}`, of[type]]));
}

function hex({ high, low }: Hash64): string {
  return [high, low].map(half => (half >>> 0).toString(16).padStart(8, '0')).join('');
}
