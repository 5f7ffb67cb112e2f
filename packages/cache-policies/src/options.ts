import {
  type Clock,
  checkNames,
  defaultTo,
  durationMs,
  functionOf,
  InvalidOptionError,
  integer,
  number,
  objectWith,
  type Random,
  type Rule,
  type RulesFor,
  random,
  readOptions,
  record,
  refused,
  required,
  signal,
  text,
} from '@ashlar/core';
import type { AccessObserver } from './advisor/access-observer.ts';
import type { Eviction } from './bounded-map.ts';
import { wTinyLfu } from './policies/w-tiny-lfu/w-tiny-lfu.ts';
import { evictionRule } from './slots/bound.ts';
import type { RemoteTier } from './tiers/remote-tier.ts';
import { jsonSerializer, type Serializer } from './tiers/serializer.ts';
import type { WriteStrategy } from './writes/write-strategy.ts';

export interface LoadContext {
  /** Aborts when nobody waits for the load any more, when it takes longer than `timeoutMs`, or when the cache is closed. */
  readonly signal: AbortSignal;
}

/** Asks the source for one key; `undefined` says that it has nothing there. */
export type Load<K, V> = (key: K, context: LoadContext) => Promise<V | undefined>;

/** Asks the source for many keys; a key that is not in the answer is one that the source has nothing for. */
export type LoadMany<K, V> = (keys: readonly K[], context: LoadContext) => Promise<Iterable<readonly [K, V]>>;

export interface RefreshAhead {
  /** A hit in the last so many milliseconds of freshness begins a refresh. */
  readonly lastMs?: number;
  /**
   * XFetch (Vattani, Chierichetti, Lowenstein 2015): a hit begins a refresh when `-ln(random) · cost · beta` reaches beyond
   * the end of freshness, where `cost` is how long the load took: rarely long before, more surely the nearer, so that
   * many processes do not refresh at once. 1 is the paper's; more is earlier.
   */
  readonly beta?: number;
}

export interface CacheOptions<K, V> {
  /** For diagnostics, errors and snapshots. `cache` by default. */
  readonly name?: string;
  /** The most entries in this process, or the most weight with `weigh`. */
  readonly max: number;
  /** What goes when it is full. `wTinyLfu` by default. */
  readonly eviction?: Eviction;
  /** The weight of an entry, an integer of at least 1: bytes, say. */
  readonly weigh?: (key: K, value: V) => number;
  /** A tier that other caches share. */
  readonly remote?: RemoteTier;
  /** Makes strings of keys, the same for equal ones. Needed with `remote` unless keys are strings, numbers or bigints. */
  readonly keyOf?: (key: K) => string;
  /** How values become bytes for `remote`. JSON by default. */
  readonly serializer?: Serializer<V>;

  readonly load?: Load<K, V>;
  /** For `getMany`; without it, `load` is called for each. */
  readonly loadMany?: LoadMany<K, V>;
  /** A load that takes longer rejects with LoadTimeoutError and is aborted. */
  readonly timeoutMs?: number;
  /** A load that takes longer goes on, while what `staleIfErrorMs` keeps is served. */
  readonly softTimeoutMs?: number;

  /** How `set` and `delete` reach the source. Without it, they concern the cache alone. */
  readonly write?: WriteStrategy<K, V>;

  /** How long a value is fresh. For ever by default: until it is written, invalidated or evicted. */
  readonly ttlMs?: number | ((key: K, value: V) => number);
  /** `ttlMs` is shortened by up to this share, at random, so that what was loaded together does not end together. 0 by default. */
  readonly jitter?: number;
  /** How long beyond `ttlMs` a stale value is served at once, while it is refreshed. 0 by default. */
  readonly staleMs?: number;
  /** How long beyond `ttlMs` a stale value is served when the load fails, or is slow. 0 by default. */
  readonly staleIfErrorMs?: number;
  /** After a failed load, how long what is kept is served without another one. 1 000 by default. */
  readonly errorBackoffMs?: number;
  /** How long it is remembered that the source has nothing. 0 by default: it is asked every time. */
  readonly negativeTtlMs?: number;
  readonly refreshAhead?: RefreshAhead;
  readonly tags?: (key: K, value: V) => readonly string[];

  /** How long a value from `remote` may be served from this process before it is read again. No limit by default. */
  readonly localTtlMs?: number;
  /**
   * What local values are worth while `remote` is away, beyond what is confirmed or after they were loaded: nothing, by
   * default, or so many milliseconds.
   */
  readonly onDisconnect?: 'bypass' | { readonly serveMs: number };
  /** How long one process has the right to load a key or to write it. 10 000 by default; let it be longer than a load. */
  readonly leaseMs?: number;
  /** How long a caller waits for another process that loads or writes the key before it loads for itself. 2 000 by default. */
  readonly leaseWaitMs?: number;

  /** Sees every access, synchronously. */
  readonly observer?: AccessObserver<K>;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface GetOptions {
  /** The call rejects with its reason; the load goes on for others who wait. */
  readonly signal?: AbortSignal;
  /** For what this call loads. */
  readonly ttlMs?: number;
  /** For what this call loads, besides those of the option. */
  readonly tags?: readonly string[];
}

export interface GetManyOptions {
  readonly signal?: AbortSignal;
}

export interface SetOptions {
  readonly ttlMs?: number;
  readonly tags?: readonly string[];
  /** Ends the waiting for a place among pending writes. */
  readonly signal?: AbortSignal;
}

const ttlRule = durationMs(Number.POSITIVE_INFINITY, { above: 0, endless: true });

const serveRule = record({ serveMs: required(durationMs(undefined, { above: 0 })) });

const rules = {
  name: text('cache'),
  max: required(integer(undefined, { min: 1 }), 'the most entries, or the most weight with `weigh`'),
  eviction: defaultTo<Eviction>(wTinyLfu, evictionRule),
  weigh: functionOf<(key: never, value: never) => number>(),
  remote: objectWith<RemoteTier>(['open'], "write `remote: redisTier({ redis, prefix: 'p' })`"),
  keyOf: functionOf<(key: never) => string>(),
  serializer: defaultTo(jsonSerializer<never>(), objectWith<Serializer<never>>(['encode', 'decode'])),
  load: functionOf<Load<never, never>>(),
  loadMany: functionOf<LoadMany<never, never>>(),
  timeoutMs: durationMs(undefined, { above: 0 }),
  softTimeoutMs: durationMs(undefined, { above: 0 }),
  write: objectWith<WriteStrategy<never, never>>(['open'], 'write `write: writeThrough({ write })`'),
  ttlMs: ((value, option) => {
    if (typeof value === 'function') return value as (key: never, value: never) => number;
    if (value === undefined || typeof value === 'number') return ttlRule(value, option);
    throw refused(option, 'a number of milliseconds or a function that returns it', value);
  }) satisfies Rule<CacheOptions<never, never>['ttlMs']>,
  jitter: number(0, { min: 0, max: 1 }),
  staleMs: durationMs(0),
  staleIfErrorMs: durationMs(0),
  errorBackoffMs: durationMs(1_000),
  negativeTtlMs: durationMs(0),
  refreshAhead: record({ lastMs: durationMs(0), beta: number(0, { min: 0 }) }),
  tags: functionOf<(key: never, value: never) => readonly string[]>(),
  localTtlMs: durationMs(Number.POSITIVE_INFINITY, { above: 0, endless: true }),
  onDisconnect: ((value, option) => {
    if (value === undefined || value === 'bypass') return { serveMs: 0 };
    if (typeof value === 'object' && value !== null) return serveRule(value, option);
    throw refused(option, "'bypass' or { serveMs }", value);
  }) satisfies Rule<{ readonly serveMs: number }>,
  leaseMs: durationMs(10_000, { above: 0 }),
  leaseWaitMs: durationMs(2_000),
  observer: objectWith<AccessObserver<never>>(['accessed'], 'write `observer: new CacheAdvisor({ … })`'),
  clock: objectWith<Clock>(['now', 'sleep']),
  random: random(),
} satisfies RulesFor<CacheOptions<never, never>>;

/** Options that have a value also when they are absent. */
type Defaulted =
  | 'name'
  | 'eviction'
  | 'serializer'
  | 'ttlMs'
  | 'jitter'
  | 'staleMs'
  | 'staleIfErrorMs'
  | 'errorBackoffMs'
  | 'negativeTtlMs'
  | 'localTtlMs'
  | 'leaseMs'
  | 'leaseWaitMs'
  | 'random';

/** The options of a cache, checked and complete. */
export type Settings<K, V> = Omit<CacheOptions<K, V>, Defaulted | 'refreshAhead' | 'onDisconnect'> &
  Required<Pick<CacheOptions<K, V>, Defaulted>> & {
    readonly refreshAhead: Required<RefreshAhead>;
    readonly onDisconnect: { readonly serveMs: number };
  };

/** @throws InvalidOptionError */
export function readSettings<K, V>(options: CacheOptions<K, V>): Settings<K, V> {
  const settings: unknown = readOptions('Cache', options, rules);
  if (options.remote === undefined) {
    for (const option of ['localTtlMs', 'onDisconnect', 'leaseMs', 'leaseWaitMs'] as const) {
      if (options[option] === undefined) continue;
      throw new InvalidOptionError(option, `\`${option}\` needs a \`remote\` tier`);
    }
    if (options.serializer !== undefined && options.write?.needsText !== true) {
      throw new InvalidOptionError('serializer', '`serializer` needs a `remote` tier or a journal');
    }
  }
  return settings as Settings<K, V>;
}

const bySignal = { signal: signal() };
const byCall = { ...bySignal, ttlMs: checkTtl, tags: checkTags } satisfies RulesFor<GetOptions & SetOptions>;
const callRules = { get: byCall, getMany: bySignal, set: byCall, delete: bySignal };

/** Allocates nothing for options that pass: calls are frequent. @throws InvalidOptionError */
export function checkCallOptions(method: 'get' | 'getMany' | 'set' | 'delete', options: SetOptions): void {
  const rules: Readonly<Record<string, Rule<unknown>>> = callRules[method];
  checkNames(method, options, rules);
  const { signal, ttlMs, tags } = options;
  if (signal !== undefined) bySignal.signal(signal, 'signal');
  if (ttlMs !== undefined) checkTtl(ttlMs);
  if (tags !== undefined) checkTags(tags);
}

/** 0 says that it is not to be kept. @throws InvalidOptionError */
export function checkTtl(ttlMs: unknown): number {
  if (typeof ttlMs === 'number' && ttlMs >= 0) return ttlMs;
  throw refused('ttlMs', 'a number of milliseconds of at least 0, or Infinity', ttlMs);
}

/** @throws InvalidOptionError, also for a string, whose characters would pass for tags. */
export function checkTags(tags: unknown): readonly string[] {
  if (Array.isArray(tags) && tags.every(tag => typeof tag === 'string')) return tags;
  throw refused('tags', 'an array of strings', tags);
}

/** @throws InvalidOptionError, also for a string, whose characters would pass for keys. */
export function checkKeys(keys: unknown): void {
  if (!Array.isArray(keys)) throw refused('keys', 'an array', keys);
}
