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

// #region cache
export function productCache({
  replica,
  max,
  eviction,
  remote,
}: ProductCacheOptions): Cache<string, Product> {
  return new Cache<string, Product>({
    name: replica,
    max,
    eviction, // wTinyLfu by default
    ttlMs: 10 * minuteMs,
    jitter: 0.1, // what was loaded together does not end together
    staleMs: minuteMs, // then still served, while one request loads it anew
    staleIfErrorMs: 60 * minuteMs, // and that long if the database does not answer
    timeoutMs: 10_000,
    // while Redis is away, what is here is served for a minute; the rest comes from the database
    ...(remote && { remote, onDisconnect: { serveMs: minuteMs } }),
  });
}
// #endregion cache
