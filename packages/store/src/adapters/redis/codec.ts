import { InvalidValueError } from '../../errors.ts';
import type { Entry, Version } from '../../store.ts';

/** A value as it is kept: the length of the version, the version, the bytes. So `GET` alone reads it. */
export function encode(version: Version, value: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafe(1 + version.length + value.byteLength);
  stored[0] = version.length;
  stored.write(version, 1, 'latin1');
  stored.set(value, 1 + version.length);
  return stored;
}

/** @throws InvalidValueError when it is not what `encode` gives. */
export function decode(key: string, stored: Buffer | null | undefined): Entry | undefined {
  if (stored === null || stored === undefined) return undefined;
  const start = 1 + (stored[0] ?? 0);
  if (start === 1 || start > stored.length) throw new InvalidValueError(key, 'was not written by a store');
  // a copy, because what the client gives may be a small part of a large piece of memory
  return { key, value: new Uint8Array(stored.subarray(start)), version: stored.toString('latin1', 1, start) };
}
