import type { Random } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Candidate } from './candidate.ts';
import type { Endpoint } from './endpoint.ts';
import type { Outcome } from './outcome.ts';
import type { Probing } from './probing.ts';

/** What a policy may know of the request. Valid during the call only: the balancer uses the object again. */
export interface PickRequest<E extends Endpoint> {
  /** What the request is about, for policies that keep equal keys together. */
  readonly key?: Key | undefined;
  /** Monotonic, in milliseconds. */
  readonly now: number;
  readonly random: Random;
  /** Requests in flight on all eligible candidates together, where the asker keeps count. */
  readonly inFlight?: number;
  /** Candidates that must not be picked for this request: tried before, excluded by the caller, being probed, at their limit. */
  skip(candidate: Candidate<E>): boolean;
}

/**
 * Decides who takes a request. Synchronous and pure: no I/O, no timers, no clock or randomness of its own; told the
 * same, it answers the same. `pick` should cost the same however many candidates there are, and allocate nothing.
 */
export interface Policy<E extends Endpoint = Endpoint> {
  /**
   * The candidates there are from now on, in the order of the endpoints; each array is a new one that the policy may
   * keep. Called before the first pick, and whenever a candidate joins, leaves, is ejected, comes back or changes.
   *
   * @param all also those that take no requests for now, being ejected or unhealthy; if absent, there are none
   */
  update(eligible: readonly Candidate<E>[], all?: readonly Candidate<E>[]): void;
  /** One of the eligible candidates that is not to be skipped; `undefined` when there is none. */
  pick(request: PickRequest<E>): Candidate<E> | undefined;
  /**
   * A request to a candidate ended, at `now`. Not called when nothing is known of how, nor after the candidate has left;
   * but it is while the candidate is ejected, for the requests from before.
   */
  settled?(candidate: Candidate<E>, outcome: Outcome, now: number): void;
  /**
   * A request to a candidate was broken off, at `now` and after `afterMs`, because another one that was asked too was
   * quicker: neither a success nor a failure, but it would have taken longer than that.
   */
  outrun?(candidate: Candidate<E>, afterMs: number, now: number): void;
  /** Of a policy that goes by probes: what the balancer makes them with. */
  readonly probing?: Probing<E> | undefined;
}

/** Makes a policy for one balancer: policies keep state. */
export type PolicyFactory = <E extends Endpoint>() => Policy<E>;
