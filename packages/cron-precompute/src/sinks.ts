/**
 * Where published entries are written to as well, key by key, after the flip: a cache of `cache-policies`, or whatever has `set`. Its
 * readers may see entries of two versions. `set` is called again after a crash.
 */
export interface Sink<K, V> {
  set(key: K, value: V): Promise<void> | void;
  /** For keys that the version before had. Default: they stay. */
  delete?(key: K): Promise<unknown> | unknown;
}
