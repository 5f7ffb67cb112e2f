import type { Stored } from '../../backend.ts';
import { InvalidValueError } from '../../errors.ts';
import type { Version } from '../../store.ts';

/** A value as Redis holds it: the length of the version, the version, the bytes. So `GET` alone reads it. */
export function encode(version: Version, value: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafe(1 + version.length + value.byteLength);
  stored[0] = version.length;
  stored.write(version, 1, 'latin1');
  stored.set(value, 1 + version.length);
  return stored;
}

/** An InvalidValueError of what `encode` did not write. */
export function decode(key: string, stored: Buffer | null | undefined): Stored | undefined {
  if (stored === null || stored === undefined) return undefined;
  const start = 1 + (stored[0] ?? 0);
  if (start === 1 || start > stored.length) return new InvalidValueError(key, 'was not written by a store');
  // A copy, because the client's buffer may be a small part of a large piece of memory
  return { key, value: new Uint8Array(stored.subarray(start)), version: stored.toString('latin1', 1, start) };
}
