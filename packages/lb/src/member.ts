import type { Candidate } from './candidate.ts';
import type { Endpoint } from './endpoint.ts';
import { weightOf } from './endpoints.ts';
import type { Flight } from './flight.ts';
import type { Limiter } from './limits/limiter.ts';

/**
 * `up`: takes requests. `ejected`: takes none until its time is over. `probing`: takes one at a time, and that one
 * decides. `gone`: not in the set any more.
 */
export type Standing = 'up' | 'ejected' | 'probing' | 'gone';

/** What a balancer knows of an endpoint: the candidate that policies see, and the rest. */
export class Member<E extends Endpoint> implements Candidate<E> {
  endpoint: E;
  weight: number;
  inFlight = 0;
  /** How many may be in flight. */
  limit: number = Infinity;
  /** Where the limit comes from, if it adapts. */
  limiter: Limiter | undefined;
  standing: Standing = 'up';
  /** Whether the policy was told of it as eligible. */
  eligible = false;
  /** The request that decides whether a probing endpoint comes back. */
  probe: Flight<E> | undefined;
  /** How often it was ejected, less what is forgiven. */
  ejections = 0;
  ejectedUntil = 0;
  upSince = 0;
  picked = 0;
  succeeded = 0;
  failed = 0;
  canceled = 0;

  constructor(endpoint: E) {
    this.endpoint = endpoint;
    this.weight = weightOf(endpoint);
  }

  /** A limiter that it has stays, with what it learned. */
  takeOver(endpoint: E, limit: number | Limiter): void {
    this.endpoint = endpoint;
    this.weight = weightOf(endpoint);
    this.limiter = typeof limit === 'number' ? undefined : (this.limiter ?? limit);
    this.limit = typeof limit === 'number' ? limit : this.limiter!.limit;
  }

  /** Whether it takes no more at the moment. */
  get isBusy(): boolean {
    return this.inFlight >= this.limit || this.probe !== undefined;
  }

  /** Whether it may be offered to the policy. */
  get usable(): boolean {
    return this.weight > 0 && (this.standing === 'up' || this.standing === 'probing');
  }
}
