import type { Random } from '@ashlar/core';
import type { ColumnType } from '../../src/index.ts';

/** The table of the comparison: each type of column, with values that are easily got wrong. */
export const tables = {
  items: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: {
      tenant: 'text',
      id: 'int4',
      big: 'int8',
      price: 'numeric',
      weight: 'float8',
      name: 'text',
      open: 'bool',
      placed: 'timestamptz',
      due: 'date',
      code: 'uuid',
      scan: 'bytea',
      about: 'jsonb',
      small: 'int4',
    },
  },
} as const;

/** What is joined to it, on all shards. */
export const references = {
  towns: { primaryKey: ['label'], columns: { label: 'text', rank: 'int4', fee: 'numeric' } },
} as const;

export const towns: readonly {
  readonly label: string;
  readonly rank: number | null;
  readonly fee: string | null;
}[] = [
  { label: '', rank: 0, fee: '1.00' },
  { label: 'a', rank: 1, fee: null },
  { label: 'A', rank: 1, fee: '-0.5' },
  { label: 'é', rank: -1, fee: '1' },
  { label: '😀', rank: null, fee: '123456789012345678901234567890.5' },
  { label: 'nowhere', rank: 7, fee: '0' },
];

export type Name = keyof typeof tables.items.columns;

export const names = Object.keys(tables.items.columns) as Name[];

const types = { ...references.towns.columns, ...tables.items.columns };

/** The type of a column, also of one of a pair: `other.name`. */
export const typeOf = (name: string): ColumnType => types[name.replace('other.', '') as keyof typeof types];

/** Collations in which texts are ordered besides `C`: with ties, of other strictness, and in an order of their own. */
export const collations = ['en-US-x-icu', 'loose', 'digits', 'code_points'] as const;

export const ddl = `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
  CREATE COLLATION digits (provider = icu, locale = 'sv-u-kn-true');
  CREATE COLLATION code_points (provider = libc, locale = 'C.UTF-8');
  CREATE TABLE items (tenant text, id int4, big int8, price numeric, weight float8, name text COLLATE "en-US-x-icu",
  open bool, placed timestamptz, due date, code uuid, scan bytea, about jsonb, small int4, PRIMARY KEY (tenant, id));
  CREATE TABLE towns (label text COLLATE "en-US-x-icu" PRIMARY KEY, rank int4, fee numeric)`;

export const tenants: readonly string[] = [
  'acme',
  '',
  'Ä',
  'z',
  'Z',
  '😀',
  '\uffff',
  'a b',
  "o'x",
  '"q"',
  '\\',
  '10',
  '9',
];

const pools: Readonly<Record<ColumnType, readonly unknown[]>> = {
  int4: [0, 1, -1, 7, 2 ** 31 - 1, -(2 ** 31)],
  int8: [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, 10n],
  text: ['', 'a', 'A', 'ä', 'b', 'B', 'zz', 'é', 'e\u0301', '\uffff', '😀', '_', ' a', '10', '9', "it's"],
  uuid: [
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    '0198f3a1-7b5c-7def-8abc-0123456789ab',
  ],
  numeric: [
    '0',
    '-0.00',
    '1',
    '1.0',
    '1.00',
    '-1.5',
    '10',
    '9',
    '0.000000000000000000001',
    '123456789012345678901234567890.5',
    '-99999999.9',
    '3.1415',
  ],
  float8: [0, -0, 1, -1.5, 1e-300, 0.1, 123.456, -999.25],
  bool: [true, false],
  timestamptz: [
    '2026-11-29T10:30:00.123456Z',
    '2026-11-29T10:30:00.123457Z',
    '2026-11-29T12:30:00+02:00',
    '1969-12-31T23:59:59.999999Z',
    'infinity',
    '-infinity',
    '0044-03-15T00:00:00.000000Z BC',
    '12026-01-01T00:00:00Z',
  ],
  date: ['2026-11-29', '1999-12-31', 'infinity', '-infinity', '0044-03-15 BC', '12026-01-01'],
  jsonb: [{ b: 1, a: [true, null, 'ä'] }, [], 'text', 1.5],
  bytea: [
    new Uint8Array(),
    new Uint8Array([0]),
    new Uint8Array([0, 0]),
    new Uint8Array([255]),
    new Uint8Array([128, 1]),
  ],
};

/** These spoil every sum that they are in, so they are rare. */
const spoilers: Readonly<Partial<Record<ColumnType, readonly unknown[]>>> = {
  numeric: ['NaN', 'Infinity', '-Infinity'],
  float8: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
};

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

export function valueFor(random: Random, name: string): unknown {
  if (name === 'tenant') return pick(random, tenants);
  if (name === 'id') return Math.floor(random() * 25);
  const type = typeOf(name);
  const rare = spoilers[type];
  return rare !== undefined && random() < 0.01 ? pick(random, rare) : pick(random, pools[type]);
}

/** The value, or null, as a column may have it. */
export function nullable(random: Random, name: string): unknown {
  return random() < 0.2 ? null : valueFor(random, name);
}

/** A literal of PostgreSQL. */
export function literal(name: string, value: unknown): string {
  if (value === null) return 'NULL';
  const type = typeOf(name);
  if (type === 'bytea') return `decode('${Buffer.from(value as Uint8Array).toString('hex')}', 'hex')`;
  const text = type === 'jsonb' ? JSON.stringify(value) : Object.is(value, -0) ? '-0' : String(value);
  return `'${text.replaceAll("'", "''")}'::${type}`;
}

/** A value that was returned, as text that is equal for equal answers; null is itself. */
export function shown(type: ColumnType, value: unknown): string | null {
  if (value === null) return null;
  switch (type) {
    case 'bytea':
      return Buffer.from(value as Uint8Array).toString('hex');
    case 'jsonb':
      return JSON.stringify(value, inOrder);
    case 'float8':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'timestamptz':
      return String(value)
        .replace('T', ' ')
        .replace(/\.?0*Z/, '');
    default:
      return String(value);
  }
}

/** What the one database returned for `sqlShown`, in the same form. */
export function shownText(type: ColumnType, text: string | null): string | null {
  if (text === null) return null;
  if (type === 'float8') return shown(type, Number(text));
  return type === 'jsonb' ? shown(type, JSON.parse(text)) : text;
}

/** A column in SQL, as text. */
export function sqlShown(type: ColumnType, expression: string): string {
  if (type === 'bytea') return `encode(${expression}, 'hex')`;
  if (type === 'timestamptz') return `(${expression} AT TIME ZONE 'UTC')::text`;
  return `(${expression})::text`;
}

function inOrder(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
