import type { Counters } from './events.ts';
import type { CacheState } from './state.ts';
import type { Writer } from './writes/write-strategy.ts';

/** JSON-safe, for metrics and live pages. Counts are since the cache was made. */
export interface CacheSnapshot extends Readonly<Counters> {
  readonly name: string;
  readonly closed: boolean;
  /** Entries of the local tier, those included that are no longer fresh. */
  readonly size: number;
  /** Of local reads: `hits / (hits + misses)`; 0 when there were none. */
  readonly hitRatio: number;
  /** Loads under way. */
  readonly loading: number;
  /** Writes under way. */
  readonly writing: number;
  readonly remote?: object;
  readonly write?: object;
  readonly observer?: object;
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
