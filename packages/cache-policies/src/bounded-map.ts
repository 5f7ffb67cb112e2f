/**
 * A map with a bound: what its eviction policy gives up when it is full is its whole character. Synchronous.
 *
 * `undefined` is not a value: storing it is an error, so that `get` answers `undefined` for what is not there alone.
 */
export interface BoundedMap<K, V> {
  /** The value, and a hit for the policy. */
  get(key: K): V | undefined;
  /** The value; the policy does not hear of it. */
  peek(key: K): V | undefined;
  /** Stores or replaces; evicts what must go for it, which with some policies may be this very entry. */
  set(key: K, value: V): this;
  /** Whether it is there; the policy does not hear of it. */
  has(key: K): boolean;
  delete(key: K): boolean;
  clear(): void;
  /** Changes the bound; what is over it is evicted at once. */
  resize(max: number): void;
  /** Entries, whatever the bound counts. */
  readonly size: number;
  /** Every entry once, in no promised order; the policy does not hear of it. */
  [Symbol.iterator](): IterableIterator<[K, V]>;
}

/** Why an entry left: `capacity`: evicted, or not admitted. */
export type EvictionReason = 'capacity' | 'replaced' | 'deleted';

export interface Bound<K, V> {
  /** The most entries, or the most weight when there is `weigh`: an integer of at least 1. */
  max: number;
  /** The weight of an entry: an integer of at least 1, asked once when it is stored. Each weighs 1 if absent. */
  weigh?: (key: K, value: V) => number;
  /** Told of every entry that leaves, after it has left. */
  onEvict?: (key: K, value: V, reason: EvictionReason) => void;
}

/** An eviction policy: makes a bounded map. */
export type Eviction = <K, V>(bound: Bound<K, V>) => BoundedMap<K, V>;
