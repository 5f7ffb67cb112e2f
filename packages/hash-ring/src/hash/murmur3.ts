import { integer } from '@ashlar/core';
import type { Key } from '../placement.ts';
import { bytesOf, checkedBytes } from './key-bytes.ts';

const seedRule = integer();

/**
 * MurmurHash3 x86 32 of a key's bytes, by Austin Appleby: an unsigned 32-bit integer, the same as
 * `murmurhash3js-revisited` returns for these bytes. `seed` is an integer of 32 bits. @throws InvalidOptionError
 */
export function murmur3(key: Key, seed = 0): number {
  // Most calls have none: their cost is this comparison
  if (seed !== 0) seedRule(seed, 'seed');
  return typeof key === 'string' ? ofString(key, seed) : ofBytes(checkedBytes(key), seed);
}

/** The finalizer of MurmurHash3: a bijection on 32-bit integers in which every input bit moves half of the output bits. */
export function mix32(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Reads the string as if it were ASCII, where units are bytes, and starts again on bytes if it was not. */
function ofString(text: string, seed: number): number {
  const length = text.length;
  const tail = length & ~3;
  let h = seed;
  let units = 0;
  let i = 0;
  for (; i < tail; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    units |= a | b | c | d;
    h = block(h, a | (b << 8) | (c << 16) | (d << 24));
  }
  if (i < length) {
    let k = 0;
    for (let shift = 0; i < length; i++, shift += 8) {
      const unit = text.charCodeAt(i);
      units |= unit;
      k |= unit << shift;
    }
    h ^= scramble(k);
  }
  return units < 0x80 ? mix32(h ^ length) : ofBytes(bytesOf(text), seed);
}

function ofBytes(bytes: Uint8Array, seed: number): number {
  const length = bytes.length;
  const tail = length & ~3;
  let h = seed;
  let i = 0;
  for (; i < tail; i += 4) {
    h = block(h, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
  }
  if (i < length) {
    let k = 0;
    for (let shift = 0; i < length; i++, shift += 8) k |= bytes[i]! << shift;
    h ^= scramble(k);
  }
  return mix32(h ^ length);
}

function block(h: number, k: number): number {
  const mixed = h ^ scramble(k);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function scramble(k: number): number {
  const spread = Math.imul(k, 0xcc9e2d51);
  return Math.imul((spread << 15) | (spread >>> 17), 0x1b873593);
}
