import { refused } from '@ashlar/core';
import type { Key } from '../placement.ts';

let scratch = new Uint8Array(256);

/**
 * The bytes of a key. Those of a string are written to one shared buffer: they are valid until the next call.
 * Unpaired surrogates become U+FFFD, as `TextEncoder` has it.
 */
export function bytesOf(key: Key): Uint8Array {
  if (typeof key !== 'string') return checkedBytes(key);
  if (scratch.length < key.length * 3) scratch = new Uint8Array(key.length * 6);
  return scratch.subarray(0, encodeInto(scratch, key));
}

/** @throws InvalidOptionError */
export function checkedKey(key: Key): Key {
  return typeof key === 'string' ? key : checkedBytes(key);
}

/** Known by its tag, which is the same in every realm, as in that of a test runner. @throws InvalidOptionError */
export function checkedBytes(key: Uint8Array): Uint8Array {
  if (ArrayBuffer.isView(key) && key[Symbol.toStringTag] === 'Uint8Array') return key;
  throw refused('key', 'a string or a Uint8Array', key, adviceFor);
}

function adviceFor(key: unknown): string | undefined {
  return ['number', 'bigint'].includes(typeof key) ? `write \`'${key}'\`` : undefined;
}

function encodeInto(bytes: Uint8Array, text: string): number {
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      bytes[at++] = unit;
    } else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6);
      bytes[at++] = 0x80 | (unit & 0x3f);
    } else {
      const point = text.codePointAt(i)!;
      if (point > 0xffff) {
        i++;
        bytes[at++] = 0xf0 | (point >> 18);
        bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
        bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
        bytes[at++] = 0x80 | (point & 0x3f);
      } else {
        const scalar = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
        bytes[at++] = 0xe0 | (scalar >> 12);
        bytes[at++] = 0x80 | ((scalar >> 6) & 0x3f);
        bytes[at++] = 0x80 | (scalar & 0x3f);
      }
    }
  }
  return at;
}
