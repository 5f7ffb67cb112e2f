import { describe, InvalidOptionError, integerOption } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';

/** A request that ended, as limiters are told. */
export interface LimitSample {
  /** When it ended; monotonic, in milliseconds. */
  readonly now: number;
  readonly latencyMs: number;
  /** Requests in flight to the endpoint when it ended, itself included. */
  readonly inFlight: number;
  /** Whether it failed, as by a timeout or a refusal. */
  readonly dropped: boolean;
}

/** Finds out how many requests an endpoint can take at a time. Pure: no timers, no clock of its own. */
export interface Limiter {
  /** At least 1. Read after each sample. */
  readonly limit: number;
  /** Told of every request that ended, save those of which nothing is known. */
  settled(sample: LimitSample): void;
}

/** How many requests an endpoint may have in flight: a number, or a limiter of its own. `Infinity` is no limit. */
export type Concurrency<E extends Endpoint = Endpoint> = number | ((endpoint: E) => number | Limiter);

/** A limiter or a whole number of at least 1, or nothing where there is no limit. @throws InvalidOptionError */
export function limitOf<E extends Endpoint>(
  concurrency: Concurrency<E>,
  endpoint: E,
): number | Limiter | undefined {
  const limit = typeof concurrency === 'function' ? concurrency(endpoint) : concurrency;
  if (limit === Number.POSITIVE_INFINITY) return undefined;
  if (isLimiter(limit)) return limit;
  return integerOption('concurrency', limit, { min: 1 });
}

/** @throws InvalidOptionError */
export function checkConcurrency(concurrency: unknown): void {
  if (typeof concurrency === 'function' || concurrency === Number.POSITIVE_INFINITY) return;
  if (typeof concurrency === 'number') integerOption('concurrency', concurrency, { min: 1 });
  else {
    const must = '`concurrency` must be a number or a function of the endpoint';
    throw new InvalidOptionError('concurrency', `${must}, got ${describe(concurrency)}`);
  }
}

function isLimiter(limit: unknown): limit is Limiter {
  return typeof limit === 'object' && typeof (limit as Partial<Limiter> | null)?.settled === 'function';
}

export interface LimitBounds {
  /** The limit before anything is known; 20 if absent, or what of it `min` and `max` allow. */
  readonly initial?: number;
  /** 20 if absent, or `max` if that is less. */
  readonly min?: number;
  /** 200 if absent, or `min` if that is more. */
  readonly max?: number;
}

/** @throws InvalidOptionError */
export function limitBounds(where: string, { initial, min, max }: LimitBounds): Required<LimitBounds> {
  const least = integerOption(`${where}.min`, min ?? Math.min(20, max ?? 20), { min: 1 });
  const most = integerOption(`${where}.max`, max ?? Math.max(200, least), { min: least });
  const first = Math.min(Math.max(20, least), most);
  return {
    min: least,
    max: most,
    initial: integerOption(`${where}.initial`, initial ?? first, { min: least, max: most }),
  };
}
