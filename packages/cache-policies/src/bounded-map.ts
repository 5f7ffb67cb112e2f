import type { Random } from '@ashlar/core';

/**
 * A map with a bound: what its eviction policy gives up when it is full is its whole character. Synchronous.
 *
 * Keys are equal as a `Map`'s are: NaN equals itself, 0 equals -0, objects equal themselves alone. `undefined` is not a
 * value, so that `get` answers `undefined` for what is not there alone.
 */
export interface BoundedMap<K, V> {
  /** The value, and a hit for the policy. */
  get(key: K): V | undefined;
  /** The value; the policy does not hear of it. */
  peek(key: K): V | undefined;
  /**
   * Stores; or replaces, which is a hit for the policy. Evicts what must go for it and no more, which with some policies
   * may be this very entry. An entry heavier than the bound is not admitted, and nothing goes for it but what it replaces.
   *
   * @throws InvalidOptionError when the value is `undefined` or its weight is not an integer of at least 1, and whatever
   * `weigh` throws: nothing has changed then.
   */
  set(key: K, value: V): this;
  /** Whether it is there; the policy does not hear of it. */
  has(key: K): boolean;
  /** Whether it was there. */
  delete(key: K): boolean;
  /** Deletes every entry, and what the policy knows of keys that left. */
  clear(): void;
  /** Changes the bound; what is over it is evicted at once. @throws InvalidOptionError as for `max`. */
  resize(max: number): void;
  /** Entries, whatever the bound counts. */
  readonly size: number;
  /**
   * Every entry once, in no promised order; the policy does not hear of it. What comes or leaves meanwhile may be missed;
   * what stays is not.
   */
  [Symbol.iterator](): IterableIterator<[K, V]>;
}

/** Why an entry left. `capacity`: evicted, or not admitted. `deleted`: by `delete` or `clear`. */
export type EvictionReason = 'capacity' | 'replaced' | 'deleted';

export interface Bound<K, V> {
  /** The most entries, or the most weight when there is `weigh`: an integer of at least 1. */
  max: number;
  /** The weight of an entry: an integer of at least 1, asked once when it is stored. Each weighs 1 if absent. */
  weigh?: (key: K, value: V) => number;
  /**
   * Told once of every entry that leaves, after the operation that made it leave is done, so that it may use the map. It
   * is told of all of them even if it throws; the first error then goes to the caller.
   */
  onEvict?: (key: K, value: V, reason: EvictionReason) => void;
  /**
   * What a policy leaves to chance: the hash of keys in `wTinyLfu`, the choice of the sample in `auto`. Asked at
   * construction. Policies that leave nothing to chance do not call it. `Math.random` if absent.
   */
  random?: Random;
}

/** An eviction policy: makes a bounded map. */
export type Eviction = <K, V>(bound: Bound<K, V>) => BoundedMap<K, V>;
