import { Cache, type Eviction, type RemoteTier } from '@ashlar/cache-policies';
import type { Product } from './database.ts';

export interface ProductCacheOptions {
  readonly replica: string;
  /** Products that it holds at most. */
  readonly max: number;
  readonly eviction: Eviction;
  /** Shared by the replicas, if there is one. */
  readonly remote: RemoteTier | undefined;
}

const minuteMs = 60_000;

export function productCache(options: ProductCacheOptions): Cache<string, Product> {
  const { replica, max, eviction, remote } = options;
  // #region cache
  const products = new Cache<string, Product>({
    name: replica,
    max,
    eviction, // wTinyLfu, unless told otherwise
    ttlMs: 10 * minuteMs,
    jitter: 0.1, // what was loaded together does not end together
    staleMs: minuteMs, // then still served, while one request loads it anew
    staleIfErrorMs: 60 * minuteMs, // and that long if the database does not answer
    timeoutMs: 10_000,
    // while Redis is away: what is here, a minute long, and then the database
    ...(remote && { remote, onDisconnect: { serveMs: minuteMs } }),
  });
  // #endregion cache
  return products;
}
