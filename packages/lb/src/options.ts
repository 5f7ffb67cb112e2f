import type { Clock, Random } from '@ashlar/core';
import type { Discovery, Endpoint } from './endpoint.ts';
import type { HealthOptions } from './health/options.ts';
import type { Concurrency } from './limits/limiter.ts';
import type { OutlierOptions } from './outlier/options.ts';
import type { PolicyFactory } from './policy.ts';
import type { HedgeOptions } from './requests/hedge.ts';
import type { RetryOptions } from './requests/retry.ts';

export interface LoadBalancerOptions<E extends Endpoint> {
  /** The name in messages, snapshots and errors. Default: `lb`. */
  readonly name?: string;
  /** A fixed list, or a discovery: a source of full sets. */
  readonly endpoints: Iterable<E> | Discovery<E>;
  /** Chooses the endpoint of each request. Default: `leastRequests()`. */
  readonly policy?: PolicyFactory;
  /** Ejects endpoints that keep failing; `false` turns it off. Default: on, with the defaults of `OutlierOptions`. */
  readonly outlier?: OutlierOptions | false;
  /** Active health checks: the balancer makes requests of its own. Default: none. */
  readonly health?: HealthOptions<E> | false;
  /**
   * Panic threshold: when fewer than this percentage of the endpoints are neither ejected nor unhealthy, all take
   * requests. 0 turns it off. Default: 50.
   */
  readonly panicPercent?: number;
  /**
   * Slow start, in milliseconds: an endpoint that joins later or comes back begins with a tenth of its weight and reaches
   * all of it after this time. For policies with weights; a policy that cannot take parts of a weight refuses the
   * endpoints. Default: 0, no slow start.
   */
  readonly slowStartMs?: number;
  /** When `run` retries on another endpoint; `false` turns it off. Default: on, with the defaults of `RetryOptions`. */
  readonly retry?: RetryOptions | false;
  /** When `run` sends a hedged request to a second endpoint while it awaits the first. Default: none. */
  readonly hedge?: HedgeOptions | false;
  /**
   * How many requests an endpoint may have in flight: a number, a function of the endpoint, or a function that makes a
   * limiter for it, as `gradient2()`. Default: `Infinity`, no limit.
   */
  readonly concurrency?: Concurrency<E>;
  /**
   * How long `acquire` and `run` wait for an endpoint when all are at their limit, and for the first set of a discovery, in
   * milliseconds. Default: 5 000.
   */
  readonly maxWaitMs?: number;
  /** How many requests may wait at a time. Default: 1 000. */
  readonly maxWaiting?: number;
  /** Replaces the machine's clock in tests and simulations. */
  readonly clock?: Clock;
  /** Replaces `Math.random` in tests and simulations. */
  readonly random?: Random;
}

/** For `watch` of a balancer. */
export interface WatchOptions<E extends Endpoint> {
  /**
   * Called with the endpoints that are there, and with each further set before it is used. If it throws, the set is refused
   * as an ill-formed one is, and the last good set stays; at the first call, `watch` throws. Default: every set will do.
   */
  check?(endpoints: readonly E[]): void;
}
