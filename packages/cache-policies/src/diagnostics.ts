import { type Channel, channel } from '@ashlar/core';
import type { ResetReason } from './tiers/remote-tier.ts';

/** Every message names the cache, and most the key. */
interface About {
  readonly cache: string;
  readonly key: unknown;
}

/** A value was served from `tier`. */
export interface HitMessage extends About {
  readonly tier: 'local' | 'remote' | 'pending';
}
/** The local tier had no value that may be served. */
export type MissMessage = About;
/** A load of the source ended. */
export interface LoadMessage extends About {
  readonly durationMs: number;
  /** No caller waited for it: it refreshes a value that is served meanwhile. */
  readonly background: boolean;
  readonly error?: unknown;
}
/** A stale value was served. */
export interface StaleServedMessage extends About {
  /** `refresh`: while a load refreshes it. `slow`: after the soft timeout. `error`: the load failed. */
  readonly reason: 'refresh' | 'slow' | 'error';
}
/** The eviction policy removed an entry of the local tier, or did not admit it. */
export type EvictMessage = About;
/** The local tier was emptied, because the shared tier reset it. */
export interface ResetMessage {
  readonly cache: string;
  readonly reason: ResetReason;
}
/** The shared tier was disconnected, or is connected again. */
export interface ConnectionMessage {
  readonly cache: string;
  readonly state: 'connected' | 'disconnected';
  readonly error?: unknown;
}
/** An operation of the shared tier failed; or `keep`, which stores a value in the local one. */
export interface TierFailedMessage {
  readonly cache: string;
  readonly operation: string;
  readonly error: unknown;
}
/** The shared tier did not take a change, so that its invalidation is owed. */
export interface OwedMessage {
  readonly cache: string;
  /** `owed`: with this change. `done`: the tier has taken all of them. `dropped`: the cache was closed before. */
  readonly state: 'owed' | 'done' | 'dropped';
  /** The keys and tags that are owed now; `everything` if a clear is among them. */
  readonly pending: number | 'everything';
  /** With `owed`: why. */
  readonly error?: unknown;
}
/** The source refused a write; the first `attempt` is 1. A write that is `kept` pending is retried. */
export interface WriteFailedMessage {
  readonly cache: string;
  readonly keys: readonly unknown[];
  readonly attempt: number;
  readonly kept: boolean;
  readonly error: unknown;
}
/** The source took a batch of pending writes. */
export interface FlushMessage {
  readonly cache: string;
  readonly count: number;
  readonly durationMs: number;
}

/** A cache started or stopped thrashing: missing evicted keys more often than it hits. */
export interface ThrashMessage {
  readonly cache: string;
  readonly max: number;
  readonly thrashing: boolean;
  readonly hitRatio: number;
  /** Misses of evicted keys, for each hit. */
  readonly ghostsPerHit: number;
  /** The size at which it stops thrashing. */
  readonly neededMax: number;
}

/** The diagnostics channels. A message is made only when its channel has subscribers. */
export const channels: {
  readonly hit: Channel<HitMessage>;
  readonly miss: Channel<MissMessage>;
  readonly load: Channel<LoadMessage>;
  readonly staleServed: Channel<StaleServedMessage>;
  readonly evict: Channel<EvictMessage>;
  readonly reset: Channel<ResetMessage>;
  readonly connection: Channel<ConnectionMessage>;
  readonly tierFailed: Channel<TierFailedMessage>;
  readonly owed: Channel<OwedMessage>;
  readonly writeFailed: Channel<WriteFailedMessage>;
  readonly flush: Channel<FlushMessage>;
  readonly thrash: Channel<ThrashMessage>;
} = {
  hit: channel('ashlar:cache-policies:hit'),
  miss: channel('ashlar:cache-policies:miss'),
  load: channel('ashlar:cache-policies:load'),
  staleServed: channel('ashlar:cache-policies:stale-served'),
  evict: channel('ashlar:cache-policies:evict'),
  reset: channel('ashlar:cache-policies:reset'),
  connection: channel('ashlar:cache-policies:connection'),
  tierFailed: channel('ashlar:cache-policies:tier-failed'),
  owed: channel('ashlar:cache-policies:owed'),
  writeFailed: channel('ashlar:cache-policies:write-failed'),
  flush: channel('ashlar:cache-policies:flush'),
  thrash: channel('ashlar:cache-policies:thrash'),
};
