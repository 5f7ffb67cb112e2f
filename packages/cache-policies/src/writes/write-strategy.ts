import type { Clock, Random } from '@ashlar/core';
import type { Terms } from '../tiers/entry.ts';
import type { Serializer } from '../tiers/serializer.ts';

/** How a cache's `set` and `delete` reach its source. */
export interface WriteStrategy<K, V> {
  readonly kind: string;
  /** Whether it stores keys outside the process: then they need `keyOf`, unless they are strings, numbers or bigints. */
  readonly needsText?: boolean;
  /** Makes the writer of one cache. */
  open(context: WriterContext<K, V>): Writer<K, V>;
}

/** One `set` or `delete`. */
export interface Write<K, V> {
  readonly id: unknown;
  readonly key: K;
  /** `undefined`: to be deleted. */
  readonly value: V | undefined;
  readonly terms: Terms;
}

/** Makes the writes of one key one after another, each when the one before is done. */
export interface Writer<K, V> {
  /** Resolves when the write is done as the strategy defines it. */
  write(write: Write<K, V>, signal: AbortSignal | undefined): Promise<void>;
  /** The write of this key that was accepted and that the source has not taken yet: reads return its value. */
  pending?(id: unknown): { readonly value: V | undefined } | undefined;
  /** Present while reads and writes must wait, because it is not known yet which writes are pending. */
  readonly starting?: Promise<void> | undefined;
  /** Resolves when the source has taken the writes that were accepted before the call. */
  flush?(): Promise<void>;
  /** JSON-safe. */
  snapshot(): object;
  /** Rejects when something could not be written. Ends in time: the cache waits for it. */
  close(): Promise<void>;
}

/** What a writer may use of its cache. */
export interface WriterContext<K, V> {
  readonly name: string;
  readonly clock: Clock | undefined;
  readonly random: Random;
  readonly serializer: Serializer<V>;
  /** Places the value in all tiers, or deletes it from them. The signal ends the wait for earlier writes of the key. */
  place(write: Write<K, V>, signal?: AbortSignal): Promise<void>;
  /**
   * Writes the source so that no cache keeps the old value: announces the key to the shared tier before, and places or
   * deletes it after. The signal ends the wait for earlier writes of the key; the one that `source` is given aborts with
   * it, or when `close` gives the write up.
   */
  around(
    write: Write<K, V>,
    keep: boolean,
    source: (signal: AbortSignal) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Notifies the shared tier that the source has changed under these keys; tries again until that succeeds. */
  changed(ids: readonly unknown[]): Promise<void>;
}
