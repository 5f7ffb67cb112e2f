import { describe, InvalidOptionError } from '@ashlar/core';
import type { Key } from './placement.ts';

/** Tries the function once. @throws InvalidOptionError when it gives no integer. */
export function checkedHash(hash: (key: Key) => number): (key: Key) => number {
  const sample: unknown = typeof hash === 'function' ? hash('a') : undefined;
  if (Number.isInteger(sample)) return hash;
  throw new InvalidOptionError(
    'hash',
    `\`hash\` must be a function that gives a 32-bit integer for a key, got ${describe(sample ?? hash)}`,
  );
}

/** By trial division: for numbers up to some millions. */
export function isPrime(number: number): boolean {
  if (number < 2) return false;
  for (let divisor = 2; divisor * divisor <= number; divisor++) {
    if (number % divisor === 0) return false;
  }
  return true;
}
