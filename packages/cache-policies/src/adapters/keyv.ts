import { objectWith, required } from '@ashlar/core';
import type { Cache } from '../cache.ts';

/** What Keyv 5 asks of a store; times are in milliseconds. */
export interface KeyvStore<V> {
  readonly opts: object;
  namespace?: string | undefined;
  get(key: string): Promise<V | undefined>;
  getMany(keys: string[]): Promise<(V | undefined)[]>;
  set(key: string, value: V, ttl?: number): Promise<boolean>;
  delete(key: string): Promise<boolean>;
  has(key: string): Promise<boolean>;
  clear(): Promise<void>;
  disconnect(): Promise<void>;
  on(event: string, listener: (...args: never[]) => void): KeyvStore<V>;
}

const advice = 'write `keyvStore(new Cache({ max: 10_000 }))`';
const cacheRule = required(
  objectWith<Cache<string, never>>(['get', 'peek', 'getMany', 'set', 'delete', 'clear', 'close'], advice),
  advice,
);

/**
 * A cache as a store of Keyv: `new Keyv({ store: keyvStore(cache) })`, and so of what builds on Keyv, such as
 * cache-manager. Keyv hands over strings, with its own namespace before the key. `clear` clears the whole cache,
 * `disconnect` closes it; `delete` loads nothing, and returns whether this process had a value.
 *
 * @throws InvalidOptionError
 */
export function keyvStore<V>(cache: Cache<string, V>): KeyvStore<V> {
  cacheRule(cache, 'cache');
  const has = async (key: string) => (await cache.get(key)) !== undefined;
  const store: KeyvStore<V> = {
    opts: { dialect: 'ashlar', name: cache.name },
    get: key => cache.get(key),
    async getMany(keys) {
      const found = await cache.getMany(keys);
      return keys.map(key => found.get(key));
    },
    async set(key, value, ttl) {
      await cache.set(key, value, ttl === undefined ? {} : { ttlMs: Math.max(0, ttl) });
      return true;
    },
    async delete(key) {
      const was = cache.peek(key) !== undefined; // a `get` would load it
      await cache.delete(key);
      return was;
    },
    has,
    clear: () => cache.clear(),
    disconnect: () => cache.close(),
    // a failure rejects its call; there are no other events
    on: () => store,
  };
  return store;
}
