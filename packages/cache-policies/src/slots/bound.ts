import { describe, InvalidOptionError, integerOption, knownOptions } from '@ashlar/core';
import type { Bound } from '../bounded-map.ts';

/** @throws InvalidOptionError unless it is a bound, with no options but its own and `more`. */
export function checkBound(policy: string, bound: Bound<never, never>, more: readonly string[] = []): void {
  knownOptions(policy, bound, ['max', 'weigh', 'onEvict', 'random', ...more]);
  checkMax(bound.max);
  for (const option of ['weigh', 'onEvict', 'random'] as const) {
    const value: unknown = bound[option];
    if (value === undefined || typeof value === 'function') continue;
    throw new InvalidOptionError(option, `\`${option}\` must be a function, got ${describe(value)}`);
  }
}

export function checkMax(max: number): number {
  return integerOption('max', max, { min: 1 });
}

/** @throws InvalidOptionError that names the key. */
export function checkValue(key: unknown, value: unknown): void {
  if (value !== undefined) return;
  throw new InvalidOptionError('value', `the value of ${describe(key)} must not be undefined`);
}

export function weightOf<K, V>(weigh: ((key: K, value: V) => number) | undefined, key: K, value: V): number {
  return weigh === undefined ? 1 : integerOption('weigh', weigh(key, value), { min: 1 });
}
