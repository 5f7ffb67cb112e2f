export type { Bound, BoundedMap, Eviction, EvictionReason } from './bounded-map.ts';
export { opt } from './opt.ts';
export { arc } from './policies/arc.ts';
export { type AutoMap, type AutoOptions, auto } from './policies/auto.ts';
export { clock } from './policies/clock.ts';
export { fifo } from './policies/fifo.ts';
export { type LfuOptions, lfu } from './policies/lfu.ts';
export { lirs } from './policies/lirs.ts';
export { lru } from './policies/lru.ts';
export { type S3FifoOptions, s3fifo } from './policies/s3fifo.ts';
export { sieve } from './policies/sieve.ts';
export { twoQueue } from './policies/two-queue.ts';
export { type WTinyLfuOptions, wTinyLfu } from './policies/w-tiny-lfu.ts';
export { TierClosedError, TierUnavailableError } from './tiers/errors.ts';
export { type MemoryTier, type MemoryTierOptions, memoryTier } from './tiers/memory-tier.ts';
export type {
  Fill,
  ReadOptions,
  RemoteTier,
  ResetReason,
  TierEntry,
  TierListener,
  TierRead,
  TierSession,
} from './tiers/remote-tier.ts';
