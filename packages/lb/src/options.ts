import { type Clock, knownOptions, type Random } from '@ashlar/core';
import type { Discovery } from './discovery.ts';
import type { Endpoint } from './endpoint.ts';
import type { OutlierOptions } from './outlier/options.ts';
import type { PolicyFactory } from './policy.ts';
import type { RetryOptions } from './retry.ts';

export interface LoadBalancerOptions<E extends Endpoint> {
  /** What it is called in messages, snapshots and errors; `lb` if absent. */
  readonly name?: string;
  /** A list that stays, or a source of full sets. */
  readonly endpoints: Iterable<E> | Discovery<E>;
  /** `leastRequests()` if absent. */
  readonly policy?: PolicyFactory;
  /** Takes endpoints out that keep failing; `false` turns it off. */
  readonly outlier?: OutlierOptions | false;
  /** When `run` tries another endpoint; `false` turns it off. */
  readonly retry?: RetryOptions | false;
  /** How long `acquire` and `run` wait for the first set of a discovery; 5 000 if absent. */
  readonly maxWaitMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

const names = ['name', 'endpoints', 'policy', 'outlier', 'retry', 'maxWaitMs', 'clock', 'random'];

/** @throws InvalidOptionError for a name that is not one of an option */
export function checkNames(options: object): void {
  knownOptions('LoadBalancer', options, names);
}

export function isDiscovery<E extends Endpoint>(
  endpoints: Iterable<E> | Discovery<E>,
): endpoints is Discovery<E> {
  return typeof (endpoints as Partial<Discovery<E>> | null)?.[Symbol.asyncIterator] === 'function';
}
