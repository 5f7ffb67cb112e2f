/**
 * The hash functions of PostgreSQL for hash partitioning: `hashint8extended`, `hashtextextended` and
 * `uuid_hash_extended`, as they are since PostgreSQL 11. They are Bob Jenkins' lookup3 of 2006 over the bytes of the value, so that the database itself can say
 * which slot a row is in.
 *
 * Each writes the 64 bits of its result into `hash`: a bigint costs more than the hash itself.
 */
export interface Hash64 {
  /** The upper half, signed. */
  high: number;
  /** The lower half, signed. */
  low: number;
}

const golden = 0x9e3779b9;
const initial = 3923095;

/** Of the 32 bits that `hashint8extended` folds an integer into. */
function hashUint32(value: number, seed: Readonly<Hash64> | undefined, hash: Hash64): void {
  begin(4, seed);
  finish((mixed.a + value) | 0, mixed.b, mixed.c, hash);
}

/** `hashint8extended`: equal for equal values of `int2`, `int4` and `int8`. */
export function hashInt8(value: bigint, seed: Readonly<Hash64> | undefined, hash: Hash64): void {
  const low = Number(BigInt.asIntN(32, value));
  const high = Number(BigInt.asIntN(32, value >> 32n));
  hashUint32(low ^ (high >= 0 ? high : ~high), seed, hash);
}

/** The same of an integer that a number holds exactly, without a bigint. */
export function hashSafeInteger(value: number, seed: Readonly<Hash64> | undefined, hash: Hash64): void {
  const high = Math.floor(value / 0x1_0000_0000);
  hashUint32((value | 0) ^ (high >= 0 ? high : ~high), seed, hash);
}

/** `uuid_hash_extended`: `hash_bytes_extended` of 16 bytes, as four words whose lowest byte is the first. */
export function hashSixteen(words: Int32Array, seed: Readonly<Hash64> | undefined, hash: Hash64): void {
  begin(16, seed);
  mix((mixed.a + words[0]!) | 0, (mixed.b + words[1]!) | 0, (mixed.c + words[2]!) | 0);
  finish((mixed.a + words[3]!) | 0, mixed.b, mixed.c, hash);
}

/** `hash_bytes_extended`: of the UTF-8 bytes of a text (`hashtextextended`). */
export function hashBytes(
  bytes: Uint8Array,
  length: number,
  seed: Readonly<Hash64> | undefined,
  hash: Hash64,
): void {
  begin(length, seed);
  let { a, b, c } = mixed;
  let at = 0;
  for (; length - at >= 12; at += 12) {
    mix((a + word(bytes, at)) | 0, (b + word(bytes, at + 4)) | 0, (c + word(bytes, at + 8)) | 0);
    a = mixed.a;
    b = mixed.b;
    c = mixed.c;
  }
  // The lowest byte of c is left to the length, which is in the start
  for (let i = length - at - 1; i >= 0; i--) {
    const byte = bytes[at + i]!;
    if (i >= 8) c = (c + (byte << (8 * (i - 7)))) | 0;
    else if (i >= 4) b = (b + (byte << (8 * (i - 4)))) | 0;
    else a = (a + (byte << (8 * i))) | 0;
  }
  finish(a, b, c, hash);
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

/** What `begin` and `mix` return: an object of its own would be garbage for each twelve bytes. */
const mixed = { a: 0, b: 0, c: 0 };

function begin(length: number, seed: Readonly<Hash64> | undefined): void {
  const start = (golden + length + initial) | 0;
  mixed.a = start;
  mixed.b = start;
  mixed.c = start;
  if (seed === undefined || (seed.high === 0 && seed.low === 0)) return;
  mix((start + seed.high) | 0, (start + seed.low) | 0, start);
}

function mix(a: number, b: number, c: number): void {
  a = (a - c) ^ rotate(c, 4);
  c = (c + b) | 0;
  b = (b - a) ^ rotate(a, 6);
  a = (a + c) | 0;
  c = (c - b) ^ rotate(b, 8);
  b = (b + a) | 0;
  a = (a - c) ^ rotate(c, 16);
  c = (c + b) | 0;
  b = (b - a) ^ rotate(a, 19);
  a = (a + c) | 0;
  c = (c - b) ^ rotate(b, 4);
  b = (b + a) | 0;
  mixed.a = a;
  mixed.b = b;
  mixed.c = c;
}

function finish(a: number, b: number, c: number, hash: Hash64): void {
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  c = ((c ^ b) - rotate(b, 24)) | 0;
  hash.high = b;
  hash.low = c;
}
