import { describe, InvalidOptionError, integerOption, knownOptions } from '@ashlar/core';
import type { Bound, EvictionReason } from '../bounded-map.ts';

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

interface Departure<K, V> {
  readonly key: K;
  readonly value: V;
  readonly reason: EvictionReason;
}

/** What has left and is not yet told: a map tells when its operation is done, so that the one told may use the map. */
export class Departures<K, V> {
  readonly #onEvict: NonNullable<Bound<K, V>['onEvict']>;
  #waiting: Departure<K, V>[] = [];

  constructor(onEvict: NonNullable<Bound<K, V>['onEvict']>) {
    this.#onEvict = onEvict;
  }

  add(key: K, value: V, reason: EvictionReason): void {
    this.#waiting.push({ key, value, reason });
  }

  /** Tells each, also when one fails; the first error is thrown at the end. */
  notify(): void {
    if (this.#waiting.length === 0) return;
    const leaving = this.#waiting;
    this.#waiting = [];
    let failure: { readonly error: unknown } | undefined;
    for (const { key, value, reason } of leaving) {
      try {
        this.#onEvict(key, value, reason);
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== undefined) throw failure.error;
  }
}
