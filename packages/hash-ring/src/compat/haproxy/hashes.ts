import { crc32 } from '../hash/crc.ts';
import type { ByteHash } from '../hash/key-reader.ts';

/** The hash functions that HAProxy 2.6 names in `hash-type`; bytes are unsigned. */
export const haproxyHashes: Readonly<Record<'sdbm' | 'djb2' | 'wt6' | 'crc32', ByteHash>> = {
  sdbm,
  djb2,
  wt6,
  crc32,
};

/** HAProxy's `full_hash`, its avalanche: Bob Jenkins' 32-bit integer hash and a multiplication. */
export function fullHash(value: number): number {
  let a = (value + 0x7ed55d16 + (value << 12)) | 0;
  a = a ^ 0xc761c23c ^ (a >>> 19);
  a = (a + 0x165667b1 + (a << 5)) | 0;
  a = (a + 0xd3a2646c) ^ (a << 9);
  a = (a + 0xfd7046c5 + (a << 3)) | 0;
  a = a ^ 0xb55a4f09 ^ (a >>> 16);
  return Math.imul(a, 3221225473) >>> 0;
}

function sdbm(bytes: Uint8Array, length: number): number {
  let hash = 0;
  for (let i = 0; i < length; i++) hash = (bytes[i]! + (hash << 6) + (hash << 16) - hash) | 0;
  return hash >>> 0;
}

function djb2(bytes: Uint8Array, length: number): number {
  let hash = 5381;
  for (let i = 0; i < length; i++) hash = (Math.imul(hash, 33) + bytes[i]!) | 0;
  return hash >>> 0;
}

/** Willy Tarreau's; C leaves a shift by 32 undefined, x86 and ARM shift by 0 then, as JavaScript does. */
function wt6(bytes: Uint8Array, length: number): number {
  let h0 = 0xa53c965a | 0;
  let h1 = 0x5ca6953a | 0;
  let step0 = 6;
  let step1 = 18;
  for (let i = 0; i < length; i++) {
    h0 = ~(h0 ^ bytes[i]!);
    h1 = ~(h1 + bytes[i]!);
    const turned = (h1 << step0) | (h1 >>> (32 - step0));
    h1 = (h0 << step1) | (h0 >>> (32 - step1));
    h0 = turned;
    const steps = ((h0 >>> 16) ^ h1) & 0xffff;
    step0 = steps & 0x1f;
    step1 = steps >>> 11;
  }
  return (h0 ^ h1) >>> 0;
}
