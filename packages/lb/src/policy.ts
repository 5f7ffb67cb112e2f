import { describe, InvalidOptionError, type Random } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Endpoint } from './endpoint.ts';

/**
 * An endpoint as a policy sees it. One object for as long as the endpoint stays, changed in place: policies may keep
 * it, compare it by identity and read it at any time.
 */
export interface Candidate<E extends Endpoint> {
  readonly endpoint: E;
  /** Requests that were picked and are not done. */
  readonly inFlight: number;
  /** Above 0. A change is followed by `update`. */
  readonly weight: number;
}

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

/** A policy for one balancer. @throws InvalidOptionError, also for a factory of factories that was not called */
export function makePolicy<E extends Endpoint>(factory: PolicyFactory): Policy<E> {
  const policy = typeof factory === 'function' ? factory<E>() : undefined;
  if (typeof policy?.update === 'function' && typeof policy.pick === 'function') return policy;
  const got = typeof policy === 'function' ? 'a function that makes no policy: call it' : describe(factory);
  throw new InvalidOptionError('policy', `\`policy\` must be a policy, as \`roundRobin()\`, got ${got}`);
}

/** What the user of an endpoint says of a request. */
export interface Settlement {
  /** Whether the endpoint did well: an answer that is the caller's own fault is `ok`. */
  readonly ok: boolean;
  readonly error?: unknown;
  /** How long the endpoint asked to be left alone, as by `Retry-After`. */
  readonly retryAfterMs?: number;
  /** How long the endpoint took; from the pick to `done` if absent, which is too long of what goes on as a stream. */
  readonly latencyMs?: number;
}

/** How a request went, as policies and outlier detectors are told. */
export interface Outcome extends Settlement {
  readonly latencyMs: number;
}

/** Policies and detectors reckon with these numbers: what is no duration is not passed on. */
export function outcomeOf(
  { ok, error, retryAfterMs, latencyMs }: Settlement,
  sincePickedMs: number,
): Outcome {
  const outcome: { -readonly [K in keyof Outcome]: Outcome[K] } = {
    ok,
    latencyMs: isDuration(latencyMs) ? latencyMs : sincePickedMs,
  };
  if (error !== undefined) outcome.error = error;
  if (isDuration(retryAfterMs)) outcome.retryAfterMs = retryAfterMs;
  return outcome;
}

function isDuration(ms: number | undefined): ms is number {
  return ms !== undefined && ms >= 0 && ms < Infinity;
}

/** What an endpoint says of itself when it is probed. */
export interface Load {
  /** Requests that it has and has not answered, of all its clients. */
  readonly inFlight: number;
  /** How long it takes to answer with so many in flight, in milliseconds; 0 when it cannot tell. */
  readonly latencyMs: number;
}

export interface ProbeContext {
  readonly endpoint: Endpoint;
  /** Aborts when the answer would come too late, and when the balancer closes. */
  readonly signal: AbortSignal;
}

/** Asks an endpoint for its load, by whatever protocol; what it throws counts as no answer. */
export type Probe = (context: ProbeContext) => Promise<Load>;

/** How a policy has probes made: it stays pure, as the balancer makes them, and tells it what they bring. */
export interface Probing<E extends Endpoint> {
  readonly probe: Probe;
  /** How long an answer may take. */
  readonly timeoutMs: number;
  /** Whom to probe now; asked after each pick until it gives `undefined`. One is not probed twice at a time. */
  next(random: Random): Candidate<E> | undefined;
  /** A probe was answered at `now`; the candidate may have left by then. */
  probed(candidate: Candidate<E>, load: Load, now: number): void;
}
