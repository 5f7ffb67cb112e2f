import type { Clock, Random } from '@ashlar/core';
import type { Terms } from '../tiers/entry.ts';
import type { Serializer } from '../tiers/serializer.ts';

/** How a cache's `set` and `delete` reach its source. */
export interface WriteStrategy<K, V> {
  readonly kind: string;
  /** It stores keys outside the process, so they must have strings: `keyOf`, or be strings, numbers or bigints. */
  readonly needsText?: boolean;
  /** Makes what writes for one cache. */
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

/** Writes of one key come one after another, each when the one before is done. */
export interface Writer<K, V> {
  /** Resolves when the write is what the strategy calls done. */
  write(write: Write<K, V>, signal: AbortSignal | undefined): Promise<void>;
  /** What was accepted for this key and the source has not taken yet: what reads are answered with. */
  pending?(id: unknown): { readonly value: V | undefined } | undefined;
  /** Present while reads and writes must wait, because it is not known yet what is pending. */
  readonly starting?: Promise<void> | undefined;
  /** Resolves when the source has taken what was accepted before the call. */
  flush?(): Promise<void>;
  /** JSON-safe. */
  snapshot(): object;
  /** Rejects when something could not be written. */
  close(): Promise<void>;
}

/** What a cache offers to its writer. */
export interface WriterContext<K, V> {
  readonly name: string;
  readonly clock: Clock | undefined;
  readonly random: Random;
  readonly serializer: Serializer<V>;
  /** The value is placed in all tiers, or deleted from them. */
  place(write: Write<K, V>): Promise<void>;
  /**
   * Writes the source so that nobody keeps the old value: the key is announced to the shared tier before, and placed or
   * left out after.
   */
  around(write: Write<K, V>, keep: boolean, source: () => Promise<void>): Promise<void>;
  /** The source has changed under these keys: the shared tier is told. What fails is tried again until it succeeds. */
  changed(ids: readonly unknown[]): Promise<void>;
}
