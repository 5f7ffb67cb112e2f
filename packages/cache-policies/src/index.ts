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
  type OwedMessage,
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
  LoadCycleError,
  LoadError,
  LoadTimeoutError,
  SerializeError,
  type Unwritten,
  UnwrittenError,
  ValueTooLongError,
  WriteError,
  type WriteOperation,
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
export * from './policies/all.ts';
export { type EvictionName, evictions } from './policies/evictions.ts';
export { opt } from './policies/opt.ts';
export { MissRatioCurve, type MissRatioCurveOptions } from './sampling/miss-ratio-curve.ts';
export type { CacheSnapshot, ObserverSnapshot, WriteSnapshot } from './snapshot.ts';
export type { Terms } from './tiers/entry.ts';
export { TierClosedError, TierUnavailableError, TierUnfitError } from './tiers/errors.ts';
export { type MemoryTier, type MemoryTierOptions, memoryTier } from './tiers/memory-tier.ts';
export type { RemoteSnapshot } from './tiers/remote-link.ts';
export type {
  Fill,
  ReadOptions,
  RemoteTier,
  ResetReason,
  TierEntry,
  TierListener,
  TierRead,
  TierSession,
  TierSessionSnapshot,
} from './tiers/remote-tier.ts';
export { jsonSerializer, type Serializer } from './tiers/serializer.ts';
export type { JournalOptions, WriteBatch, WriteBehindOptions } from './writes/behind/options.ts';
export type { PendingWrite } from './writes/behind/pending-writes.ts';
export { writeBehind } from './writes/behind/write-behind.ts';
export type { Write, Writer, WriterContext, WriteStrategy } from './writes/write-strategy.ts';
export {
  cacheAside,
  type SourceWriteOptions,
  type WriteContext,
  type WriteSource,
  writeThrough,
} from './writes/write-through.ts';
