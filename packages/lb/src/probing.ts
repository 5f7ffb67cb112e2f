import type { Random } from '@ashlar/core';
import type { Candidate } from './candidate.ts';
import type { Endpoint } from './endpoint.ts';

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
