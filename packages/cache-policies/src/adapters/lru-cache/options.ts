import { describe, InvalidOptionError, knownOptions, numberOption } from '@ashlar/core';
import type { Eviction } from '../../bounded-map.ts';

export type DisposeReason = 'evict' | 'set' | 'delete' | 'expire';

export interface FetchMethodOptions<C> {
  /** Aborts when the key is set or deleted, and with the signal of the call that began it. */
  readonly signal: AbortSignal;
  readonly context: C;
}

/** Those options of lru-cache that are honored, and `eviction`. */
export interface LRUCacheOptions<K, V, C = unknown> {
  /** What goes when it is full. `wTinyLfu` by default; `lru` for what lru-cache does. */
  readonly eviction?: Eviction;
  /** The most entries; either this or `maxSize`. */
  readonly max?: number;
  /** The most that they weigh together, as `sizeCalculation` says. */
  readonly maxSize?: number;
  readonly sizeCalculation?: (value: V, key: K) => number;
  /** Milliseconds; 0, the default, is for ever. */
  readonly ttl?: number;
  readonly updateAgeOnGet?: boolean;
  /** A `get` or `fetch` may answer with what has expired, once. */
  readonly allowStale?: boolean;
  /** Told of every value that leaves, after the operation that made it leave. */
  readonly dispose?: (value: V, key: K, reason: DisposeReason) => void;
  readonly fetchMethod?: (
    key: K,
    staleValue: V | undefined,
    options: FetchMethodOptions<C>,
  ) => V | undefined | Promise<V | undefined>;
  /** Where the time comes from, in milliseconds. */
  readonly perf?: { now(): number };
}

const names: readonly (keyof LRUCacheOptions<unknown, unknown>)[] = [
  ...(['eviction', 'max', 'maxSize', 'sizeCalculation', 'ttl', 'updateAgeOnGet', 'allowStale'] as const),
  ...(['dispose', 'fetchMethod', 'perf'] as const),
];

const cacheInstead = 'use `Cache` with `staleIfErrorMs`';
/** What to do instead. */
const refusals: Readonly<Record<string, string>> = {
  ttlResolution: 'leave it out: the time is read at every operation',
  ttlAutopurge: 'expired entries go in their turn, or call `purgeStale()`',
  updateAgeOnHas: 'call `get`, with `updateAgeOnGet`',
  noDeleteOnStaleGet: 'use `Cache` with `staleMs`',
  noUpdateTTL: 'give `ttl` to `set`',
  noDisposeOnSet: "ignore the reason 'set' in `dispose`",
  disposeAfter: 'use `dispose`, which is told after the operation',
  onInsert: 'do it where you call `set`',
  maxEntrySize: 'leave it out: what is heavier than `maxSize` is not admitted',
  memoMethod: 'use `fetchMethod`, or `Cache` with `load`',
  noDeleteOnFetchRejection: cacheInstead,
  allowStaleOnFetchRejection: cacheInstead,
  allowStaleOnFetchAbort: cacheInstead,
  ignoreFetchAbort: 'use `Cache`, whose loads go on while others wait for them',
};

/** @throws InvalidOptionError that says what to do instead of an option of lru-cache that is not honored. */
export function checkOptions<K, V, C>(options: LRUCacheOptions<K, V, C>): void {
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== false);
  for (const [name] of given) {
    const instead = refusals[name];
    if (instead !== undefined) {
      throw new InvalidOptionError(name, `\`${name}\` of lru-cache is not honored here: ${instead}`);
    }
  }
  knownOptions('LRUCache', Object.fromEntries(given), names);
  const { max, maxSize, ttl = 0, fetchMethod, sizeCalculation } = options;
  if ((max === undefined) === (maxSize === undefined)) {
    const message = 'LRUCache needs `max` or `maxSize`, one of the two: what has no bound is no cache';
    throw new InvalidOptionError(max === undefined ? 'max' : 'maxSize', message);
  }
  if (maxSize === undefined && sizeCalculation !== undefined) {
    throw new InvalidOptionError('sizeCalculation', '`sizeCalculation` needs `maxSize`');
  }
  numberOption('ttl', ttl, { min: 0 });
  if (fetchMethod !== undefined && typeof fetchMethod !== 'function') {
    const got = describe(fetchMethod);
    throw new InvalidOptionError('fetchMethod', `\`fetchMethod\` must be a function, got ${got}`);
  }
}
