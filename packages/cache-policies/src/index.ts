export type { AccessObserver, HitCount } from './advisor/access-observer.ts';
export { type CacheAdvice, CacheAdvisor, type CacheAdvisorOptions } from './advisor/cache-advisor.ts';
export type { Bound, BoundedMap, Eviction, EvictionReason } from './bounded-map.ts';
export { Cache } from './cache.ts';
export {
  type ConnectionMessage,
  channels,
  type EvictMessage,
  type FlushMessage,
  type HitMessage,
  type LoadMessage,
  type MissMessage,
  type ResetMessage,
  type StaleServedMessage,
  type ThrashMessage,
  type TierFailedMessage,
  type WriteFailedMessage,
} from './diagnostics.ts';
export {
  BacklogFullError,
  CacheClosedError,
  DecompressError,
  JournalError,
  JournalTakenError,
  LoadError,
  LoadTimeoutError,
  SerializeError,
  type Unwritten,
  UnwrittenError,
  WriteError,
} from './errors.ts';
export type {
  CacheOptions,
  GetManyOptions,
  GetOptions,
  Load,
  LoadContext,
  LoadMany,
  RefreshAhead,
  SetOptions,
} from './options.ts';
export { arc } from './policies/arc.ts';
export { type AutoMap, type AutoOptions, auto } from './policies/auto/auto.ts';
export { clock } from './policies/clock.ts';
export { fifo } from './policies/fifo.ts';
export { type LfuOptions, lfu } from './policies/lfu.ts';
export { lirs } from './policies/lirs.ts';
export { lru } from './policies/lru.ts';
export { opt } from './policies/opt.ts';
export { type S3FifoOptions, s3fifo } from './policies/s3fifo.ts';
export { sieve } from './policies/sieve.ts';
export { twoQueue } from './policies/two-queue.ts';
export { type WTinyLfuOptions, wTinyLfu } from './policies/w-tiny-lfu/w-tiny-lfu.ts';
export { MissRatioCurve, type MissRatioCurveOptions } from './sampling/miss-ratio-curve.ts';
export type { CacheSnapshot } from './snapshot.ts';
export { TierClosedError, TierUnavailableError, TierUnfitError } from './tiers/errors.ts';
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
export { jsonSerializer, type Serializer } from './tiers/serializer.ts';
export type { JournalOptions } from './writes/behind/journal.ts';
export type { PendingWrite } from './writes/behind/pending-writes.ts';
export { type WriteBehindOptions, writeBehind } from './writes/behind/write-behind.ts';
export type { Write, Writer, WriterContext, WriteStrategy } from './writes/write-strategy.ts';
export {
  cacheAside,
  type SourceWriteOptions,
  type WriteContext,
  writeThrough,
} from './writes/write-through.ts';
