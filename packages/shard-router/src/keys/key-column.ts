import { compareCodePoints } from '../columns/texts.ts';
import { InvalidShardKeyError } from '../errors/routing.ts';
import { type Hash64, hashBytes, hashInt8, hashSafeInteger, hashSixteen } from './postgres-hash.ts';
import { readUuid, sixteen } from './uuid.ts';

/** The type of a column of the key, in the database: `int8` for all integers, `text` for `varchar` too, `uuid`. */
export type KeyColumn = 'int8' | 'text' | 'uuid';

/** What a key is: one column, or several in order. */
export type KeyType = KeyColumn | readonly KeyColumn[];

/** An integer (`int8`), a text, a UUID in its canonical form; for a key of several columns, their values in order. */
export type ShardKey = string | number | bigint | readonly (string | number | bigint)[];

interface KeyValues {
  int8: number | bigint;
  text: string;
  uuid: string;
}

/** The keys of one type. */
export type KeyOf<K extends KeyType> = K extends KeyColumn
  ? KeyValues[K]
  : { readonly [Column in keyof K]: KeyValues[K[Column] & KeyColumn] };

/** What a column of the key can do. Each call throws InvalidShardKeyError for a value of another type. */
export interface Column {
  /** The function of PostgreSQL that `write` equals. */
  readonly sqlFunction: string;
  /** Hashes a value. */
  write(value: unknown, seed: Readonly<Hash64> | undefined, hash: Hash64): void;
  /** The value as the map keeps it: equal for equal values. */
  toText(value: unknown): string;
  /** What such a text stands for, for `order`. */
  fromText(text: string): string | number | bigint;
  /** Below 0 when the value is before the other, as the database has it by `sql`. */
  order(value: unknown, other: string | number | bigint): number;
  /** The column as it is compared with literals. It must be quoted already. */
  sql(column: string): string;
  literal(text: string): string;
}

function isInt8(value: unknown): value is number | bigint {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  return typeof value === 'bigint' && BigInt.asIntN(64, value) === value;
}

function notInt8(value: unknown): InvalidShardKeyError {
  const advice = typeof value === 'string' ? '`pg` returns int8 as text: take BigInt(key)' : undefined;
  return new InvalidShardKeyError(value, 'an integer of 64 bits, as a safe number or a bigint', advice);
}

const int8: Column = {
  sqlFunction: 'hashint8extended',
  write(value, seed, hash) {
    if (typeof value === 'number' && Number.isSafeInteger(value)) return hashSafeInteger(value, seed, hash);
    if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return hashInt8(value, seed, hash);
    throw notInt8(value);
  },
  toText(value) {
    if (isInt8(value)) return String(BigInt(value));
    throw notInt8(value);
  },
  fromText: text => (Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text)),
  order(value, other) {
    if (!isInt8(value)) throw notInt8(value);
    return value < (other as number | bigint) ? -1 : value > (other as number | bigint) ? 1 : 0;
  },
  sql: column => column,
  literal: text => `'${text}'::int8`,
};

const encoder = new TextEncoder();
let bytes = new Uint8Array(512);

// Half of a surrogate pair, which UTF-8 has not, and U+0000, which a text of PostgreSQL has not
const unfit = /\p{Surrogate}|\0/u;

function textOf(value: unknown): string {
  if (typeof value === 'string' && !unfit.test(value)) return value;
  throw new InvalidShardKeyError(value, 'a well-formed text without U+0000');
}

/** Up to so many characters an encoder costs more than a loop. */
const shortText = 24;

/** How many characters it has written: up to the first that is not of one byte. */
function asciiInto(value: string, bytes: Uint8Array): number {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0 || code > 127) return i;
    bytes[i] = code;
  }
  return value.length;
}

const text: Column = {
  sqlFunction: 'hashtextextended',
  write(value, seed, hash) {
    if (typeof value === 'string' && value.length <= shortText) {
      const length = asciiInto(value, bytes);
      if (length === value.length) return hashBytes(bytes, length, seed, hash);
    }
    const its = textOf(value);
    if (bytes.length < its.length * 3) bytes = new Uint8Array(its.length * 3);
    hashBytes(bytes, encoder.encodeInto(its, bytes).written, seed, hash);
  },
  toText: textOf,
  fromText: String,
  order: (value, other) => compareCodePoints(textOf(value), other as string),
  sql: column => `${column} COLLATE "C"`,
  literal: text => {
    const quoted = `'${text.replaceAll("'", "''")}'`;
    return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
  },
};

function uuidOf(value: unknown): string {
  if (typeof value === 'string' && readUuid(value)) return value;
  throw new InvalidShardKeyError(value, 'a UUID as 01234567-89ab-cdef-0123-456789abcdef');
}

const uuid: Column = {
  sqlFunction: 'uuid_hash_extended',
  write(value, seed, hash) {
    uuidOf(value);
    hashSixteen(sixteen, seed, hash);
  },
  toText: value => uuidOf(value).toLowerCase(),
  fromText: String,
  order(value, other) {
    const its = uuidOf(value).toLowerCase();
    return its < other ? -1 : its > other ? 1 : 0;
  },
  sql: column => column,
  literal: text => `'${text}'::uuid`,
};

const kinds: Readonly<Record<KeyColumn, Column>> = { int8, text, uuid };

export const keyColumns = Object.keys(kinds) as KeyColumn[];

export function keyColumn(type: KeyColumn): Column {
  return kinds[type];
}
