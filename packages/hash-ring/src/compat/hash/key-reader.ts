import { bytesOf } from '../../hash/key-bytes.ts';
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
    if (typeof key === 'string' && this.#readAscii(key)) {
      this.bytes = this.#ascii;
      this.length = key.length;
    } else {
      this.bytes = bytesOf(key);
      this.length = this.bytes.length;
    }
  }

  /** Leaves only the bytes from `start` to before `end`, which end by the old `length`. */
  narrow(start: number, end: number): void {
    const { bytes } = this;
    if (this.#ascii.length < end - start) this.#ascii = new Uint8Array((end - start) * 2);
    for (let i = start; i < end; i++) this.#ascii[i - start] = bytes[i]!;
    this.bytes = this.#ascii;
    this.length = end - start;
  }

  /** False when the text is not all ASCII. */
  #readAscii(text: string): boolean {
    const { length } = text;
    if (this.#ascii.length < length) this.#ascii = new Uint8Array(length * 2);
    const ascii = this.#ascii;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return false;
      ascii[i] = unit;
    }
    return true;
  }
}

/** Holds one key at a time, for as long as it takes to hash it. */
export const reader: KeyReader = new KeyReader();

/** The hash of a key's bytes. @throws InvalidOptionError when it is no key */
export function hashOf(key: Key, hash: ByteHash): number {
  reader.read(key);
  return hash(reader.bytes, reader.length);
}

/** Leaves of the key that was read what is between the first opening byte and the next closing one, if anything is. */
export function narrowToTag(opening: number, closing: number): void {
  const { bytes, length } = reader;
  const start = indexOf(bytes, opening, 0, length) + 1;
  if (start === 0) return;
  const end = indexOf(bytes, closing, start, length);
  if (end > start) reader.narrow(start, end);
}

/** -1 if the byte is not there. */
function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  for (let i = start; i < end; i++) if (bytes[i] === byte) return i;
  return -1;
}
