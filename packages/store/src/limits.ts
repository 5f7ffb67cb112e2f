import { describe, durationMs, objectWith, type Rule, refused, required, signal } from '@ashlar/core';
import { InvalidKeyError, ValueTooLargeError } from './errors.ts';
import type { Store, Version } from './store.ts';

/** The longest key, and name or holder of a claim: 1 024 bytes of UTF-8. */
export const maxKeyBytes = 1024;

/** The largest value: 16 MiB. */
export const maxValueBytes: number = 16 * 2 ** 20;

/** The longest time to live of a value or claim: a hundred years, in milliseconds. */
export const maxTtlMs = 3_155_760_000_000;

/** No token reaches it: past it, the numbers of JavaScript and Lua are not exact. Tokens are microseconds, so in 2255. */
export const maxToken: bigint = 2n ** 53n - 2n;

/** How far `above` may be ahead of the store's clock: a day, in microseconds. */
export const maxAheadUs: bigint = 86_400_000_000n;

const encoder = new TextEncoder();
const loneSurrogate = /\p{Surrogate}/u;

/** @throws InvalidKeyError */
export function checkKey(key: unknown, what = 'key'): string {
  if (typeof key !== 'string') {
    throw new InvalidKeyError(key, `\`${what}\` must be a string, got ${describe(key)}`);
  }
  // UTF-8 takes three bytes for a unit at most
  if (key.length * 3 > maxKeyBytes && encoder.encode(key).length > maxKeyBytes) {
    throw new InvalidKeyError(key, `${what} ${describe(key)} is longer than ${maxKeyBytes} bytes of UTF-8`);
  }
  if (loneSurrogate.test(key)) {
    throw new InvalidKeyError(key, `${what} ${describe(key)} has half a surrogate pair and so no UTF-8 form`);
  }
  return key;
}

/** @throws InvalidOptionError, ValueTooLargeError */
export function checkValue(key: string, value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) {
    throw refused(
      'value',
      'a Uint8Array',
      value,
      'write `toJson(value)` for JSON, `Buffer.from(text)` for text',
    );
  }
  if (value.byteLength > maxValueBytes) throw new ValueTooLargeError(key, value.byteLength, maxValueBytes);
  return value;
}

const ttl = durationMs(undefined, { above: 0, max: maxTtlMs });

/** The rule of `ttlMs` where it may be absent: in whole milliseconds, rounded up. */
export const ttlMs: Rule<number | undefined> = (value, option) => {
  const ms = ttl(value, option);
  return ms === undefined ? undefined : Math.ceil(ms);
};

export const requiredTtlMs: Rule<number> = required(ttlMs, 'a number of milliseconds');

/** The rule of `ifVersion`. */
export const version: Rule<Version | undefined> = (value, option) => {
  if (value === undefined || typeof value === 'string') return value;
  throw refused(option, 'a string', value, "write the `version` of an entry, or 'absent'");
};

/** The rule of a token, or of `above`. */
export const token: Rule<bigint | undefined> = (value, option) => {
  if (value === undefined || (typeof value === 'bigint' && value >= 0n && value < maxToken)) return value;
  throw refused(
    option,
    `a bigint from 0 to below ${maxToken}`,
    value,
    'write the `token` of a claim as it is',
  );
};

/** @throws InvalidOptionError when `above` is so far ahead of the store's clock that it would use up the tokens */
export function checkAhead(above: bigint | undefined, nowUs: bigint): void {
  if (above === undefined || above <= nowUs + maxAheadUs) return;
  throw refused(
    'above',
    `at most a day ahead of the store's clock, ${nowUs + maxAheadUs}`,
    above,
    'write the `seen.token` of a StaleTokenError',
  );
}

export const requiredToken: Rule<bigint> = required(token, 'the `token` of a claim');

export const requiredSignal: Rule<AbortSignal> = required(signal(), 'write `{ signal: controller.signal }`');

/** A `Store` of any make, recognized by its methods. */
export const anyStore: Rule<Store> = required(
  objectWith<Store>(['get', 'set', 'delete', 'list', 'watch', 'claim', 'release'], 'write `memoryStore()`'),
  'write `memoryStore()`',
);
