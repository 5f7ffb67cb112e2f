import { describe, InvalidOptionError, numberOption } from '@ashlar/core';
import { InvalidKeyError, ValueTooLargeError } from './errors.ts';

/** Of a key, and of the name and holder of a claim, in UTF-8 bytes. */
export const maxKeyBytes = 1024;

/** Of a value: 16 MiB. */
export const maxValueBytes: number = 16 * 2 ** 20;

/** A hundred years. */
export const maxTtlMs = 3_155_760_000_000;

/** Tokens end before JavaScript's and Lua's numbers lose exactness. */
export const maxToken: bigint = 2n ** 53n - 2n;

const loneSurrogate = /\p{Surrogate}/u;

/** @throws InvalidKeyError */
export function checkKey(key: string, what = 'key'): string {
  if (typeof key !== 'string') throw new InvalidKeyError(key, `a ${what} is a string, not ${describe(key)}`);
  // three bytes for each unit are the most that UTF-8 takes
  if (key.length * 3 > maxKeyBytes && Buffer.byteLength(key) > maxKeyBytes) {
    throw new InvalidKeyError(key, `${what} ${describe(key)} is longer than ${maxKeyBytes} bytes of UTF-8`);
  }
  if (loneSurrogate.test(key)) {
    throw new InvalidKeyError(key, `${what} ${describe(key)} has half a surrogate pair and so no UTF-8 form`);
  }
  return key;
}

/** @throws InvalidOptionError, ValueTooLargeError */
export function checkValue(key: string, value: Uint8Array): Uint8Array {
  if (!(value instanceof Uint8Array)) {
    throw new InvalidOptionError('value', `\`value\` must be a Uint8Array, got ${describe(value)}`);
  }
  if (value.byteLength > maxValueBytes) throw new ValueTooLargeError(key, value.byteLength, maxValueBytes);
  return value;
}

/** In whole milliseconds, rounded up. @throws InvalidOptionError */
export function checkTtl(ttlMs: number): number {
  return Math.ceil(numberOption('ttlMs', ttlMs, { above: 0, max: maxTtlMs }));
}

/** @throws InvalidOptionError */
export function checkVersion(ifVersion: string): string {
  if (typeof ifVersion === 'string') return ifVersion;
  throw new InvalidOptionError('ifVersion', `\`ifVersion\` must be a string, got ${describe(ifVersion)}`);
}

/** @throws InvalidOptionError */
export function checkToken(option: string, token: bigint): bigint {
  if (typeof token === 'bigint' && token >= 0n && token < maxToken) return token;
  const got = describe(token);
  throw new InvalidOptionError(
    option,
    `\`${option}\` must be a bigint from 0 to below ${maxToken}, got ${got}`,
  );
}

/** @throws InvalidOptionError */
export function checkSignal(signal: AbortSignal): AbortSignal {
  if (signal instanceof AbortSignal) return signal;
  throw new InvalidOptionError('signal', `\`signal\` must be an AbortSignal, got ${describe(signal)}`);
}
