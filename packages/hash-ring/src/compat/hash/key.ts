import { describe, InvalidOptionError } from '@ashlar/core';
import { bytesOf } from '../../hash/utf8.ts';
import type { Key } from '../../placement.ts';

/** An unsigned 32-bit hash of the first `length` bytes. */
export type ByteHash = (bytes: Uint8Array, length: number) => number;

/** The bytes of the key that was read last: the first `length` of `bytes`. Those of a string are its UTF-8. */
export class KeyReader {
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;
  #ascii: Uint8Array = new Uint8Array(256);

  /** @throws InvalidOptionError when it is no key */
  read(key: Key): void {
    const length = key?.length;
    if (typeof key !== 'string') {
      if (!(key instanceof Uint8Array)) {
        throw new InvalidOptionError('key', `a key must be a string or a Uint8Array, got ${describe(key)}`);
      }
      this.bytes = key;
      this.length = length;
      return;
    }
    if (this.#ascii.length < length) this.#ascii = new Uint8Array(length * 2);
    const ascii = this.#ascii;
    for (let i = 0; i < length; i++) {
      const unit = key.charCodeAt(i);
      if (unit > 0x7f) return this.read(bytesOf(key));
      ascii[i] = unit;
    }
    this.bytes = ascii;
    this.length = length;
  }
}

/** Holds one key at a time, for as long as it takes to hash it. */
export const reader: KeyReader = new KeyReader();

/** The hash of a key's bytes. @throws InvalidOptionError when it is no key */
export function hashOf(key: Key, hash: ByteHash): number {
  reader.read(key);
  return hash(reader.bytes, reader.length);
}
