import {
  boolean,
  defaultTo,
  durationMs,
  functionOf,
  InvalidOptionError,
  integer,
  objectWith,
  type RulesFor,
  readOptions,
} from '@ashlar/core';
import type { Eviction } from '../../bounded-map.ts';
import { wTinyLfu } from '../../policies/w-tiny-lfu/w-tiny-lfu.ts';
import type { LRUSetOptions } from './calls.ts';

export type DisposeReason = 'evict' | 'set' | 'delete' | 'expire';

export interface FetchMethodOptions<C> {
  /** Aborts when the key is set or deleted, and with the signal of the call that began it. */
  readonly signal: AbortSignal;
  /** How the value will be stored; `fetchMethod` may change it. */
  readonly options: LRUSetOptions;
  readonly context: C;
}

export type FetchMethod<K, V, C> = (
  key: K,
  staleValue: V | undefined,
  options: FetchMethodOptions<C>,
) => V | undefined | Promise<V | undefined>;

/** The options of lru-cache that are honored, and `eviction`. */
export interface LRUCacheOptions<K, V, C = unknown> {
  /** The eviction policy; `lru` is what lru-cache does. Default: `wTinyLfu`. */
  readonly eviction?: Eviction;
  /** The most entries; either this or `maxSize`. */
  readonly max?: number;
  /** The most that all entries weigh together, by `sizeCalculation`. */
  readonly maxSize?: number;
  readonly sizeCalculation?: (value: V, key: K) => number;
  /** How long an entry lives, in milliseconds; 0 is for ever. Default: 0. */
  readonly ttl?: number;
  /** A `get` starts the time of its entry again. Default: false. */
  readonly updateAgeOnGet?: boolean;
  /** A `get` or `fetch` may return an expired value, once. Default: false. */
  readonly allowStale?: boolean;
  /** Called with every value that leaves, after the operation that made it leave. */
  readonly dispose?: (value: V, key: K, reason: DisposeReason) => void;
  readonly fetchMethod?: FetchMethod<K, V, C>;
  /** The clock, in milliseconds. Default: `performance`. */
  readonly perf?: { now(): number };
}

const rules = {
  eviction: defaultTo<Eviction>(
    wTinyLfu,
    functionOf<Eviction>("write `eviction: lru`, imported from '@ashlar/cache-policies'"),
  ),
  max: integer(undefined, { min: 1 }),
  maxSize: integer(undefined, { min: 1 }),
  sizeCalculation: functionOf<(value: never, key: never) => number>(),
  ttl: durationMs(0),
  updateAgeOnGet: boolean(false),
  allowStale: boolean(false),
  dispose: functionOf<(value: never, key: never, reason: DisposeReason) => void>(),
  fetchMethod: functionOf<FetchMethod<never, never, never>>(),
  perf: objectWith<{ now(): number }>(['now'], 'as `performance` has it'),
} satisfies RulesFor<LRUCacheOptions<never, never, never>>;

/** The options, checked and complete. */
export type LRUCacheSettings<K, V, C> = LRUCacheOptions<K, V, C> &
  Required<Pick<LRUCacheOptions<K, V, C>, 'eviction' | 'ttl' | 'updateAgeOnGet' | 'allowStale'>>;

const cacheInstead = 'use `Cache` with `staleIfErrorMs`';
/** What to do instead. */
const refusals: Readonly<Record<string, string>> = {
  ttlResolution: 'leave it out: the time is read at every operation',
  ttlAutopurge: 'expired entries are evicted in their turn; or call `purgeStale()`',
  updateAgeOnHas: 'call `get`, with `updateAgeOnGet`',
  noDeleteOnStaleGet: 'use `Cache` with `staleMs`',
  noUpdateTTL: 'give `ttl` to `set`',
  noDisposeOnSet: "ignore the reason 'set' in `dispose`",
  disposeAfter: 'use `dispose`, which is called after the operation',
  onInsert: 'do it where you call `set`',
  maxEntrySize: 'leave it out: what is heavier than `maxSize` is not admitted',
  memoMethod: 'use `fetchMethod`, or `Cache` with `load`',
  noDeleteOnFetchRejection: cacheInstead,
  allowStaleOnFetchRejection: cacheInstead,
  allowStaleOnFetchAbort: cacheInstead,
  ignoreFetchAbort: 'use `Cache`, whose loads go on while others wait for them',
};

/** @throws InvalidOptionError that says what to do instead of an option of lru-cache that is not honored. */
export function readLRUOptions<K, V, C>(options: LRUCacheOptions<K, V, C>): LRUCacheSettings<K, V, C> {
  const settings = readOptions('LRUCache', honored(options), rules);
  const { max, maxSize, sizeCalculation } = settings;
  if ((max === undefined) === (maxSize === undefined)) {
    const message = 'LRUCache needs `max` or `maxSize`, one of the two: what has no bound is no cache';
    throw new InvalidOptionError(max === undefined ? 'max' : 'maxSize', message);
  }
  if (maxSize === undefined && sizeCalculation !== undefined) {
    throw new InvalidOptionError('sizeCalculation', '`sizeCalculation` needs `maxSize`');
  }
  return settings as unknown as LRUCacheSettings<K, V, C>;
}

/** Without what lru-cache knows and this does not, which may be there when it is turned off. */
function honored(options: unknown): unknown {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options;
  const rest = Object.entries(options).filter(([name, value]) => {
    const instead = Object.hasOwn(refusals, name) ? refusals[name] : undefined;
    if (instead === undefined) return true;
    if (value === undefined || value === false) return false;
    throw new InvalidOptionError(name, `\`${name}\` of lru-cache is not honored here: ${instead}`);
  });
  return Object.fromEntries(rest);
}
