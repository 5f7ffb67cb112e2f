import { describe, InvalidOptionError, integer, isClass, type Rule, refused } from '@ashlar/core';
import { checkedKey } from './hash/key-bytes.ts';
import { murmur3 } from './hash/murmur3.ts';
import type { Key } from './placement.ts';

export type Hash = (key: Key) => number;

const expectedHash = 'a function that returns a 32-bit integer for a key';

/** A 32-bit hash of a key, tried once. */
export const hash: Rule<Hash> = (value, option) => {
  if (value === undefined) return murmur3;
  if (typeof value !== 'function' || isClass(value))
    throw refused(option, expectedHash, value, 'write `hash: key => …`');
  const sample = resultOf(value as Hash, option);
  if (Number.isInteger(sample)) return value as Hash;
  throw unfitHash(option, `returns ${describe(sample)}`);
};

function resultOf(hash: Hash, option: string): unknown {
  try {
    return hash('a');
  } catch (cause) {
    throw unfitHash(option, 'throws', { cause });
  }
}

function unfitHash(option: string, does: string, options?: ErrorOptions): InvalidOptionError {
  const message = `\`${option}\` must be ${expectedHash}, got one that ${does}`;
  return new InvalidOptionError(option, message, options);
}

/** The hash with its key checked first; MurmurHash3 does that itself. */
export function ofKeys(hash: Hash): Hash {
  return hash === murmur3 ? murmur3 : key => hash(checkedKey(key));
}

/** A prime number. */
export function prime(orElse: number, max: number): Rule<number> {
  const any = integer(orElse, { min: 2, max });
  return (value, option) => {
    const number = any(value, option);
    if (isPrime(number)) return number;
    throw refused(option, 'a prime number', number, `write ${primeNear(number, max)}`);
  };
}

function primeNear(number: number, max: number): number {
  for (let above = number; above <= max; above++) if (isPrime(above)) return above;
  let below = number;
  while (!isPrime(below)) below--;
  return below;
}

/** By trial division: for numbers up to some millions. */
function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) {
    if (number % divisor === 0) return false;
  }
  return true;
}
