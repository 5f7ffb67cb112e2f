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
/** No tier had it. */
export type MissMessage = About;
/** A load of the source ended. */
export interface LoadMessage extends About {
  readonly durationMs: number;
  /** Nobody waited for it: it refreshes what is being served. */
  readonly background: boolean;
  readonly error?: unknown;
}
/** A value was served that was no longer fresh. */
export interface StaleServedMessage extends About {
  /** `refresh`: while it is loaded anew. `slow`: after the soft timeout. `error`: the load failed. */
  readonly reason: 'refresh' | 'slow' | 'error';
}
/** An entry left the local tier for others. */
export type EvictMessage = About;
/** The local tier was emptied because of what the shared one said. */
export interface ResetMessage {
  readonly cache: string;
  readonly reason: ResetReason;
}
/** The shared tier is away, or back. */
export interface ConnectionMessage {
  readonly cache: string;
  readonly state: 'connected' | 'disconnected';
  readonly error?: unknown;
}
/** An operation of the shared tier failed. */
export interface TierFailedMessage {
  readonly cache: string;
  readonly operation: string;
  readonly error: unknown;
}
/** The source refused a write; `attempt` is 1 for the first. One that is kept pending is tried again. */
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

/** A cache began to miss more of what it had evicted than it hits, or ceased to. */
export interface ThrashMessage {
  readonly cache: string;
  readonly max: number;
  readonly thrashing: boolean;
  readonly hitRatio: number;
  /** Misses of what had been evicted, for each hit. */
  readonly ghostsPerHit: number;
  /** The size that would end it. */
  readonly neededMax: number;
}

/** Where a cache tells what happens; a message is made only when somebody listens. */
export const channels: {
  readonly hit: Channel<HitMessage>;
  readonly miss: Channel<MissMessage>;
  readonly load: Channel<LoadMessage>;
  readonly staleServed: Channel<StaleServedMessage>;
  readonly evict: Channel<EvictMessage>;
  readonly reset: Channel<ResetMessage>;
  readonly connection: Channel<ConnectionMessage>;
  readonly tierFailed: Channel<TierFailedMessage>;
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
  writeFailed: channel('ashlar:cache-policies:write-failed'),
  flush: channel('ashlar:cache-policies:flush'),
  thrash: channel('ashlar:cache-policies:thrash'),
};
