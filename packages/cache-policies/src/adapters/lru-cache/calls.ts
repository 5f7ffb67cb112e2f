import { boolean, integer, type Rule, readOptions, refused, signal } from '@ashlar/core';

/** How one value is stored. */
export interface LRUSetOptions {
  /** Milliseconds; 0 and Infinity are for ever, a negative one is over already. Default: `ttl` of the cache. */
  ttl?: number | undefined;
  /** The weight, for `maxSize` without `sizeCalculation`. */
  size?: number | undefined;
}

export interface LRUPeekOptions {
  /** Default: `allowStale` of the cache. */
  readonly allowStale?: boolean | undefined;
}

export interface LRUGetOptions extends LRUPeekOptions {
  /** Default: `updateAgeOnGet` of the cache. */
  readonly updateAgeOnGet?: boolean | undefined;
}

export interface LRUFetchOptions<C> extends Readonly<LRUSetOptions>, LRUGetOptions {
  /** Ends the fetch that this call begins. */
  readonly signal?: AbortSignal | undefined;
  /** Fetches also when the value is fresh. Default: false. */
  readonly forceRefresh?: boolean | undefined;
  /** For `fetchMethod`. */
  readonly context?: C | undefined;
}

/** As computed from a time of expiry, which may have passed. */
const ttl: Rule<number | undefined> = (value, option) => {
  if (value === undefined || (typeof value === 'number' && !Number.isNaN(value))) return value;
  throw refused(option, 'a number of milliseconds', value);
};

const setRules = { ttl, size: integer(undefined, { min: 0 }) };
const peekRules = { allowStale: boolean() };
const getRules = { ...peekRules, updateAgeOnGet: boolean() };
const fetchRules = {
  ...setRules,
  ...getRules,
  signal: signal(),
  forceRefresh: boolean(false),
  context: (value: unknown) => value,
};

const callRules = { set: setRules, peek: peekRules, get: getRules, has: {}, delete: {}, fetch: fetchRules };

interface CallOptions {
  readonly set: LRUSetOptions;
  readonly peek: LRUPeekOptions;
  readonly get: LRUGetOptions;
  readonly has: object;
  readonly delete: object;
  readonly fetch: LRUFetchOptions<unknown>;
}

/** @throws InvalidOptionError for an option of the call that is not honored */
export function readCall<M extends keyof CallOptions>(
  method: M,
  options: object | undefined,
): Partial<CallOptions[M]> {
  return options === undefined
    ? {}
    : (readOptions(method, options, callRules[method]) as Partial<CallOptions[M]>);
}
