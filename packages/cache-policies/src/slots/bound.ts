import {
  describe,
  functionOf,
  InvalidOptionError,
  integer,
  nearest,
  type Random,
  type Rule,
  type RulesFor,
  readOptions,
  required,
} from '@ashlar/core';
import type { Bound, Eviction, EvictionReason } from '../bounded-map.ts';

const maxRule = required(integer(undefined, { min: 1 }), 'the most entries, or the most weight with `weigh`');

const rules = {
  max: maxRule,
  weigh: functionOf<(key: never, value: never) => number>(),
  onEvict: functionOf<(key: never, value: never, reason: EvictionReason) => void>(),
  random: functionOf<Random>(),
} satisfies RulesFor<Bound<never, never>>;

/** As users know them: the policies themselves are not imported here, so that a bundle has only those it uses. */
export const evictionNames = [
  'arc',
  'auto',
  'clock',
  'fifo',
  'lfu',
  'lirs',
  'lru',
  's3fifo',
  'sieve',
  'twoQueue',
  'wTinyLfu',
] as const;

/** An eviction policy as an option. */
export const evictionRule: Rule<Eviction | undefined> = functionOf<Eviction>(value => {
  const meant = typeof value === 'string' ? nearest(value, evictionNames) : undefined;
  return `write \`eviction: ${meant ?? 'lru'}\`, imported from '@ashlar/cache-policies'`;
});

/** @throws InvalidOptionError unless it is a bound, with no options but its own and those that have rules in `more`. */
export function checkBound(
  policy: string,
  bound: Bound<never, never>,
  more: Readonly<Record<string, Rule<unknown>>> = {},
): void {
  readOptions(policy, bound, { ...rules, ...more });
}

export function checkMax(max: unknown): number {
  return maxRule(max, 'max');
}

/** @throws InvalidOptionError that names the key. */
export function checkValue(key: unknown, value: unknown): void {
  if (value !== undefined) return;
  throw new InvalidOptionError('value', `the value of ${describe(key)} must not be undefined`);
}

/** @throws InvalidOptionError that names the key, and whatever `weigh` throws. */
export function weightOf<K, V>(weigh: ((key: K, value: V) => number) | undefined, key: K, value: V): number {
  if (weigh === undefined) return 1;
  const weight = weigh(key, value);
  if (Number.isSafeInteger(weight) && weight >= 1) return weight;
  const got = `${describe(weight)} for ${describe(key)}`;
  throw new InvalidOptionError('weigh', `\`weigh\` must return an integer of at least 1, got ${got}`);
}

interface Departure<K, V> {
  readonly key: K;
  readonly value: V;
  readonly reason: EvictionReason;
}

/** Entries that left during an operation. `onEvict` is called when the operation is done, so that it may use the map. */
export class Departures<K, V> {
  readonly #onEvict: NonNullable<Bound<K, V>['onEvict']>;
  #waiting: Departure<K, V>[] = [];

  constructor(onEvict: NonNullable<Bound<K, V>['onEvict']>) {
    this.#onEvict = onEvict;
  }

  add(key: K, value: V, reason: EvictionReason): void {
    this.#waiting.push({ key, value, reason });
  }

  /** Calls `onEvict` for each, also when one call throws; then throws the first error. */
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
