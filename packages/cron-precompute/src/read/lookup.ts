/** What is known of a key, here and now. */
export interface Lookup<V> {
  readonly value: V | undefined;
  /**
   * `fresh`: of the published version, which is young enough. `stale`: of a published version that is not. `fallback`: computed on
   * demand, or the declared fallback. `missing`: there is no value.
   */
  readonly status: 'fresh' | 'stale' | 'fallback' | 'missing';
  /** The version in this process; 0 when it has none. */
  readonly version: number;
  /**
   * How old the data are, in milliseconds: since the run began to read its source. `Infinity` without a version. Of many reads in
   * a row without an `await` between them, up to 64 share the time of the first; `status` goes by the same time.
   */
  readonly ageMs: number;
}

/** One version, for as long as it is held: for a request that reads several keys. Hold it no longer, as it keeps the memory. */
export interface Pinned<K, V> {
  readonly version: number;
  get(key: K): Lookup<V>;
}

export interface FreshnessOptions {
  /** The age up to which data are `fresh`, in milliseconds. Default: until the second tick after theirs has come. */
  readonly freshMs?: number;
  /** The age from which on `beyond` applies, in milliseconds. Default: none. */
  readonly maxStaleMs?: number;
  /** `serve`: as stale. `compute`: `load` computes the value. `fail`: `get` and `load` throw TooStaleError. Default: `serve`. */
  readonly beyond?: 'serve' | 'compute' | 'fail';
}
