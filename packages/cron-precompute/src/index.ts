export {
  ChunkFailedError,
  EntryTooLargeError,
  MissingVersionError,
  OverloadedError,
  SupersededError,
  TooStaleError,
  ValidationError,
} from './errors.ts';
export type { IncrementalOptions, PrecomputeOptions } from './options.ts';
export { inPartitions, type PartitionedSource } from './partitions/in-partitions.ts';
export type { DeadLetters, InPartitionsOptions, PartitionQueue } from './partitions/options.ts';
export { Precompute, type PrecomputeSnapshot } from './precompute.ts';
export { maxChunkBytes } from './publish/chunks.ts';
export type { VersionInfo } from './publish/pointer.ts';
export type { Candidate, ValidateOptions } from './publish/validate.ts';
export type { FreshnessOptions, Lookup, Pinned } from './read/lookup.ts';
export type { Compute, OnDemandOptions } from './read/on-demand.ts';
export type { Serializer } from './read/snapshot.ts';
export * from './scheduler.ts';
export type { Sink } from './sinks.ts';
export { type InChunksOptions, inChunks } from './sources/in-chunks.ts';
export type { Source, SourceContext } from './sources/source.ts';
