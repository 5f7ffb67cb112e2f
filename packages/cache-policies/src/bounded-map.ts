import type { Random } from '@ashlar/core';

/**
 * A map with a bound. When it is full, its eviction policy chooses which entry goes. Synchronous.
 *
 * Keys are equal as in a `Map`: NaN equals itself, 0 equals -0, an object equals only itself. `undefined` is not a value, so
 * `get` returns it only for a key that is absent.
 */
export interface BoundedMap<K, V> {
  /** The value, and a hit for the policy. */
  get(key: K): V | undefined;
  /** The value; not a hit for the policy. */
  peek(key: K): V | undefined;
  /**
   * Stores the value, or replaces one, which is a hit for the policy. Evicts as many entries as it must; with some policies
   * the new entry itself. An entry heavier than the bound is not admitted, and evicts nothing but the value it replaces.
   *
   * @throws InvalidOptionError when the value is `undefined` or its weight is not an integer of at least 1, and whatever
   * `weigh` throws. Then nothing has changed.
   */
  set(key: K, value: V): this;
  /** Whether the key is present; not a hit for the policy. */
  has(key: K): boolean;
  /** Returns whether the key was present. */
  delete(key: K): boolean;
  /** Deletes every entry, and all that the policy remembers. */
  clear(): void;
  /** Changes the bound and evicts at once what exceeds it. @throws InvalidOptionError as for `max`. */
  resize(max: number): void;
  /** The number of entries, also where the bound is a weight. */
  readonly size: number;
  /**
   * Every entry once, in no promised order; not a hit for the policy. Entries that come or leave during the iteration may
   * be missed; entries that stay are not.
   */
  [Symbol.iterator](): IterableIterator<[K, V]>;
}

/** Why an entry left. `capacity`: evicted, or not admitted. `deleted`: by `delete` or `clear`. */
export type EvictionReason = 'capacity' | 'replaced' | 'deleted';

export interface Bound<K, V> {
  /** The most entries, or the most weight when there is `weigh`: an integer of at least 1. */
  max: number;
  /** The weight of an entry, an integer of at least 1; called once, when it is stored. Default: 1 each. */
  weigh?: (key: K, value: V) => number;
  /**
   * Called once for every entry that leaves, after the operation that removed it is done, so that it may use the map. It is
   * called for all of them also when a call throws; the operation then throws the first error.
   */
  onEvict?: (key: K, value: V, reason: EvictionReason) => void;
  /**
   * Seeds the hash of keys in `wTinyLfu` and the sample of `auto`; called at construction. The other policies do not use
   * it. Default: `Math.random`.
   */
  random?: Random;
}

/** An eviction policy: makes a bounded map. */
export type Eviction = <K, V>(bound: Bound<K, V>) => BoundedMap<K, V>;
