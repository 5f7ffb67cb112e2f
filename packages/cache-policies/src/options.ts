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
  oneOf,
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
import { isWellFormed } from './tiers/tier-rules.ts';
import type { WriteStrategy } from './writes/write-strategy.ts';

export interface LoadContext {
  /** Aborts when the last caller has aborted, when the load takes longer than `timeoutMs`, or when the cache is closed. */
  readonly signal: AbortSignal;
}

/** Loads one key from the source; `undefined` means that the source has nothing for it. */
export type Load<K, V> = (key: K, context: LoadContext) => Promise<V | undefined>;

/** Loads many keys from the source; a key without a pair means that the source has nothing for it. */
export type LoadMany<K, V> = (keys: readonly K[], context: LoadContext) => Promise<Iterable<readonly [K, V]>>;

export interface RefreshAhead {
  /** A hit in the last `lastMs` milliseconds of freshness starts a refresh. Default: 0, none. */
  readonly lastMs?: number;
  /**
   * XFetch (Vattani, Chierichetti, Lowenstein 2015): a hit starts a refresh when `-ln(random) · cost · beta` reaches beyond
   * the end of freshness, where `cost` is the duration of the load. A refresh is rare long before the end and likely shortly
   * before it, so that many processes do not refresh at once. 1 is the paper's; more is earlier. Default: 0, none.
   */
  readonly beta?: number;
}

export interface CacheOptions<K, V> {
  /** Its name in diagnostics messages, errors and snapshots. Default: `cache`. */
  readonly name?: string;
  /** The most entries of the local tier (L1), or the most weight with `weigh`. At least 1. */
  readonly max: number;
  /** The eviction policy of the local tier. Default: `wTinyLfu`. */
  readonly eviction?: Eviction;
  /** The weight of an entry, an integer of at least 1, as bytes. Default: 1 each. */
  readonly weigh?: (key: K, value: V) => number;
  /** A second tier (L2) that caches share: `memoryTier`, `redisTier`. Default: none. */
  readonly remote?: RemoteTier;
  /** Returns the same string for equal keys. Needed with `remote` unless keys are strings, numbers or bigints. */
  readonly keyOf?: (key: K) => string;
  /** Makes bytes of values, for `remote` or a journal. Default: JSON. */
  readonly serializer?: Serializer<V>;

  /** The source of one key. Without it and `loadMany`, `get` returns only what was set. */
  readonly load?: Load<K, V>;
  /** The source of many keys, for `getMany`. Default: `load` for each key. */
  readonly loadMany?: LoadMany<K, V>;
  /** The time limit of a load, in milliseconds: it is then aborted, and rejects with LoadTimeoutError. Default: none. */
  readonly timeoutMs?: number;
  /** After so many milliseconds of a load, a stale value within `staleIfErrorMs` is served; the load goes on. Default: none. */
  readonly softTimeoutMs?: number;

  /** How `set` and `delete` reach the source. Default: they change the cache alone. */
  readonly write?: WriteStrategy<K, V>;

  /** How long a value is fresh, in milliseconds, or a function that returns it. Default: until it is written, invalidated or evicted. */
  readonly ttlMs?: number | ((key: K, value: V) => number);
  /** Shortens each `ttlMs` by a random share of up to this, 0 to 1, so that values loaded together expire apart. Default: 0. */
  readonly jitter?: number;
  /** Stale-while-revalidate: for so many milliseconds beyond `ttlMs`, a stale value is served while one load refreshes it. Default: 0. */
  readonly staleMs?: number;
  /** Stale-if-error: for so many milliseconds beyond `ttlMs`, a stale value is served when the load fails or is slow. Default: 0. */
  readonly staleIfErrorMs?: number;
  /** After a failed load, a stale value is served for so many milliseconds without another load. Default: 1 000. */
  readonly errorBackoffMs?: number;
  /** Negative caching: how long the cache remembers that the source has nothing, in milliseconds. Default: 0. */
  readonly negativeTtlMs?: number;
  /** Refreshes a value before it expires. Default: off. */
  readonly refreshAhead?: RefreshAhead;
  /** The tags of a value, for `invalidateTags`. Default: none. */
  readonly tags?: (key: K, value: V) => readonly string[];

  /** The longest time that a value of `remote` is served from this process before it is read again. Default: no limit. */
  readonly localTtlMs?: number;
  /**
   * What is served while `remote` is away. `bypass`: only the source, and local values for at most the tier's bound.
   * `{ serveMs }`: local values too, for so many milliseconds after the last confirmation or after their load. Default:
   * `bypass`.
   */
  readonly onDisconnect?: 'bypass' | { readonly serveMs: number };
  /**
   * What a change does that `remote` does not take, though the source may have it. `reject`: rejects with WriteError. `owe`:
   * succeeds; the cache owes the invalidation to `remote` and makes it when that is back. Default: `reject`.
   */
  readonly whenAway?: 'reject' | 'owe';
  /** The lease of one process on loading or writing a key, in milliseconds; make it longer than a load. Default: 10 000. */
  readonly leaseMs?: number;
  /** How long a caller waits for another process's lease before it loads by itself, in milliseconds. Default: 2 000. */
  readonly leaseWaitMs?: number;

  /**
   * How long `close` waits for writes under way, for loads to give their leases back, and then for the shared tier, in
   * milliseconds. It gives up what has not settled by then. Default: 10 000.
   */
  readonly closeTimeoutMs?: number;

  /** Observes every access, synchronously: a `CacheAdvisor`. Default: none. */
  readonly observer?: AccessObserver<K>;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Default: `Math.random`. */
  readonly random?: Random;
}

export interface GetOptions {
  /** When it aborts, the call rejects with its reason; the load goes on for the other callers. */
  readonly signal?: AbortSignal;
  /** The `ttlMs` of what this call loads. */
  readonly ttlMs?: number;
  /** Tags of what this call loads, in addition to those of the option `tags`. */
  readonly tags?: readonly string[];
}

export interface GetManyOptions {
  /** When it aborts, the call rejects with its reason. */
  readonly signal?: AbortSignal;
}

export interface SetOptions {
  /** The `ttlMs` of this value. Default: the option's. */
  readonly ttlMs?: number;
  /** Tags of this value, in addition to those of the option `tags`. */
  readonly tags?: readonly string[];
  /** Ends the wait for a place among pending writes, or for earlier writes of the key. */
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
  whenAway: oneOf('reject', ['reject', 'owe']),
  leaseMs: durationMs(10_000, { above: 0, max: 2 ** 31 - 1 }),
  leaseWaitMs: durationMs(2_000),
  closeTimeoutMs: durationMs(10_000),
  observer: objectWith<AccessObserver<never>>(['accessed'], 'write `observer: new CacheAdvisor({ … })`'),
  clock: objectWith<Clock>(['now', 'sleep']),
  random: random(),
} satisfies RulesFor<CacheOptions<never, never>>;

/** Options with a default. */
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
  | 'whenAway'
  | 'leaseMs'
  | 'leaseWaitMs'
  | 'closeTimeoutMs'
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
    for (const option of ['localTtlMs', 'onDisconnect', 'whenAway', 'leaseMs', 'leaseWaitMs'] as const) {
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

/** 0 means that the value is not kept. @throws InvalidOptionError */
export function checkTtl(ttlMs: unknown): number {
  if (typeof ttlMs === 'number' && ttlMs >= 0) return ttlMs;
  throw refused('ttlMs', 'a number of milliseconds of at least 0, or Infinity', ttlMs);
}

/** @throws InvalidOptionError, also for a string, whose characters would pass for tags. */
export function checkTags(tags: unknown): readonly string[] {
  if (!Array.isArray(tags) || !tags.every(tag => typeof tag === 'string')) {
    throw refused('tags', 'an array of strings', tags);
  }
  if (tags.every(isWellFormed)) return tags;
  throw refused('tags', 'an array of well-formed strings', tags, 'one has half a surrogate pair');
}

/** @throws InvalidOptionError, also for a string, whose characters would pass for keys. */
export function checkKeys(keys: unknown): void {
  if (!Array.isArray(keys)) throw refused('keys', 'an array', keys);
}
