import type { CacheAdvice } from './advisor/cache-advisor.ts';
import type { Counters } from './events.ts';
import type { CacheState } from './state.ts';
import type { RemoteSnapshot } from './tiers/remote-link.ts';
import type { Writer } from './writes/write-strategy.ts';

/**
 * The write strategy of a cache. `writeBehind` has all of it, the other strategies of this package `kind` alone; a strategy of
 * your own has what its writer returns.
 */
export interface WriteSnapshot {
  readonly kind?: string;
  /** Writes that the source has not taken yet. */
  readonly pending?: number;
  /** Writes that the source has taken. */
  readonly written?: number;
  /** Writes that a later write of the same key replaced before they were written. */
  readonly coalesced?: number;
  /** Batches that the source refused. */
  readonly failures?: number;
  /** The age of the oldest pending write, in milliseconds. */
  readonly oldestMs?: number;
  readonly lastError?: string;
  /** The durability of the journal's store; `none` without a journal. */
  readonly journal?: string;
}

/** What the `observer` of a cache returns: a CacheAdvisor all of it, an observer of your own what its `snapshot` returns. */
export interface ObserverSnapshot extends Partial<CacheAdvice> {
  readonly name?: string;
  /** The `max` of the cache that it watches. */
  readonly max?: number;
}

/** JSON-safe, for metrics and live pages. Counts begin with the cache. */
export interface CacheSnapshot extends Readonly<Counters> {
  readonly name: string;
  readonly closed: boolean;
  /** Entries of the local tier, stale ones included. */
  readonly size: number;
  /** The hit ratio of the local tier, `hits / (hits + misses)`; 0 before the first read. */
  readonly hitRatio: number;
  /** Loads under way. */
  readonly loading: number;
  /** Writes under way. */
  readonly writing: number;
  /** The shared tier, with `remote`. */
  readonly remote?: RemoteSnapshot;
  /** The write strategy, with `write`. */
  readonly write?: WriteSnapshot;
  /** What an `observer` that has `snapshot` returns. */
  readonly observer?: ObserverSnapshot;
}

export function snapshotOf<K, V>(
  { settings, local, flights, writes, remote, events }: CacheState<K, V>,
  writer: Writer<K, V> | undefined,
  closed: boolean,
): CacheSnapshot {
  const { name, observer } = settings;
  const { counters } = events;
  const { hits, misses } = counters;
  return {
    name,
    closed,
    size: local.size,
    hitRatio: hits + misses === 0 ? 0 : hits / (hits + misses),
    loading: flights.size,
    writing: writes.size,
    ...counters,
    ...(remote && { remote: remote.snapshot() }),
    ...(writer && { write: writer.snapshot() }),
    ...(observer?.snapshot && { observer: observer.snapshot() }),
  };
}
