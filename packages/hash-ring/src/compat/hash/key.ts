import { describe, InvalidOptionError } from '@ashlar/core';
import { bytesOf } from '../../hash/utf8.ts';
import type { Key } from '../../placement.ts';

/** An unsigned 32-bit hash of the first `length` bytes. */
export type ByteHash = (bytes: Uint8Array, length: number) => number;

let ascii = new Uint8Array(256);

/** The hash of a key's bytes, those of a string being its UTF-8. @throws InvalidOptionError when it is no key */
export function hashOf(key: Key, hash: ByteHash): number {
  if (typeof key !== 'string') return hash(checkedBytes(key), key.length);
  const length = key.length;
  if (ascii.length < length) ascii = new Uint8Array(length * 2);
  for (let i = 0; i < length; i++) {
    const unit = key.charCodeAt(i);
    if (unit > 0x7f) return hashOf(bytesOf(key), hash);
    ascii[i] = unit;
  }
  return hash(ascii, length);
}

function checkedBytes(key: Uint8Array): Uint8Array {
  if (key instanceof Uint8Array) return key;
  throw new InvalidOptionError('key', `a key must be a string or a Uint8Array, got ${describe(key)}`);
}
