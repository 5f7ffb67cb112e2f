import { functionOf, type RulesFor, readOptions, required } from '@ashlar/core';
import type { Write, Writer, WriteStrategy } from './write-strategy.ts';

export interface WriteContext {
  /** Aborts when the caller's signal does, and when `close` gives the write up after `closeTimeoutMs`. */
  readonly signal: AbortSignal;
}

/** Writes the source; deletes there when the value is `undefined`. */
export type WriteSource<K, V> = (key: K, value: V | undefined, context: WriteContext) => Promise<void>;

export interface SourceWriteOptions<K, V> {
  readonly write: WriteSource<K, V>;
}

const rules = {
  write: required(functionOf<WriteSource<never, never>>(), 'what writes one key to the source'),
} satisfies RulesFor<SourceWriteOptions<never, never>>;

/**
 * `set` writes the source and makes the cache forget the key: the next read loads it. For sources that change what they
 * are given, and for values that are seldom read after a write.
 *
 * @throws InvalidOptionError
 */
export function cacheAside<K, V>(options: SourceWriteOptions<K, V>): WriteStrategy<K, V> {
  return sourceWrite('cacheAside', options, false);
}

/**
 * `set` writes the source, then the cache has the value as it was given.
 *
 * @throws InvalidOptionError
 */
export function writeThrough<K, V>(options: SourceWriteOptions<K, V>): WriteStrategy<K, V> {
  return sourceWrite('writeThrough', options, true);
}

function sourceWrite<K, V>(
  kind: string,
  options: SourceWriteOptions<K, V>,
  keep: boolean,
): WriteStrategy<K, V> {
  const { write: writeSource } = readOptions(kind, options, rules) as SourceWriteOptions<K, V>;
  return {
    kind,
    open: ({ around }): Writer<K, V> => ({
      write: (write: Write<K, V>, own) =>
        around(write, keep, async signal => writeSource(write.key, write.value, { signal }), own),
      snapshot: () => ({ kind }),
      close: async () => {},
    }),
  };
}
