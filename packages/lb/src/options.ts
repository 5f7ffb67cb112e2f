import { type Clock, knownOptions, type Random } from '@ashlar/core';
import type { Discovery, Endpoint } from './endpoint.ts';
import type { HealthOptions } from './health/options.ts';
import type { Concurrency } from './limits/limiter.ts';
import type { OutlierOptions } from './outlier/options.ts';
import type { PolicyFactory } from './policy.ts';
import type { HedgeOptions } from './requests/hedge.ts';
import type { RetryOptions } from './requests/retry.ts';

export interface LoadBalancerOptions<E extends Endpoint> {
  /** What it is called in messages, snapshots and errors; `lb` if absent. */
  readonly name?: string;
  /** A list that stays, or a source of full sets. */
  readonly endpoints: Iterable<E> | Discovery<E>;
  /** `leastRequests()` if absent. */
  readonly policy?: PolicyFactory;
  /** Takes endpoints out that keep failing; `false` turns it off. */
  readonly outlier?: OutlierOptions | false;
  /** Checks the endpoints by requests of its own; not at all if absent. */
  readonly health?: HealthOptions<E> | false;
  /**
   * When fewer than so many percent of the endpoints are usable, ejected and unhealthy ones together, all take requests
   * again; 50 if absent, 0 turns it off.
   */
  readonly panicPercent?: number;
  /**
   * An endpoint that joins later, or comes back, begins with a tenth of its weight and has all of it after so long; 0 if
   * absent: at once. For policies that heed weights; one that cannot take parts of them refuses the endpoints.
   */
  readonly slowStartMs?: number;
  /** When `run` tries another endpoint; `false` turns it off. */
  readonly retry?: RetryOptions | false;
  /** When `run` sends a request to a second endpoint while the first is awaited; not at all if absent. */
  readonly hedge?: HedgeOptions | false;
  /**
   * How many requests an endpoint may have in flight: a number, a function of the endpoint, or one that makes a limiter
   * for it, as `gradient2()` is. No limit if absent.
   */
  readonly concurrency?: Concurrency<E>;
  /**
   * How long `acquire` and `run` wait for an endpoint when all are at their limit, and for the first set of a discovery;
   * 5 000 if absent.
   */
  readonly maxWaitMs?: number;
  /** How many may wait at a time; 1 000 if absent. */
  readonly maxWaiting?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

const names = [
  'name',
  'endpoints',
  'policy',
  'outlier',
  'health',
  'panicPercent',
  'slowStartMs',
  'retry',
  'hedge',
  'concurrency',
  'maxWaitMs',
  'maxWaiting',
  'clock',
  'random',
];

/** @throws InvalidOptionError for a name that is not one of an option */
export function checkNames(options: object): void {
  knownOptions('LoadBalancer', options, names);
}
