import { describe, InvalidOptionError, knownOptions } from '@ashlar/core';
import type { Write, Writer, WriteStrategy } from './write-strategy.ts';

export interface WriteContext {
  /** Aborts when the caller's does. */
  readonly signal: AbortSignal | undefined;
}

export interface SourceWriteOptions<K, V> {
  /** Writes the source; deletes there when the value is `undefined`. */
  readonly write: (key: K, value: V | undefined, context: WriteContext) => Promise<void>;
}

/**
 * `set` writes the source and lets the cache forget the key: the next read loads it. For sources that change what they
 * are given, or values that are seldom read after a write.
 */
export function cacheAside<K, V>(options: SourceWriteOptions<K, V>): WriteStrategy<K, V> {
  return sourceWrite('cacheAside', options, false);
}

/** `set` writes the source, then the cache has the value as it was given. */
export function writeThrough<K, V>(options: SourceWriteOptions<K, V>): WriteStrategy<K, V> {
  return sourceWrite('writeThrough', options, true);
}

function sourceWrite<K, V>(
  kind: string,
  options: SourceWriteOptions<K, V>,
  keep: boolean,
): WriteStrategy<K, V> {
  knownOptions(kind, options, ['write']);
  const { write: writeSource } = options;
  if (typeof writeSource !== 'function') {
    throw new InvalidOptionError('write', `\`write\` must be a function, got ${describe(writeSource)}`);
  }
  return {
    kind,
    open: ({ around }): Writer<K, V> => ({
      write: (write: Write<K, V>, signal) =>
        around(write, keep, async () => writeSource(write.key, write.value, { signal })),
      snapshot: () => ({ kind }),
      close: async () => {},
    }),
  };
}
