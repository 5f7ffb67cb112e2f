import type { Endpoint } from '../endpoint.ts';
import { weightOf } from '../endpoint.ts';
import type { Limiter } from '../limits/limiter.ts';
import type { Candidate } from '../policy.ts';
import type { Drain } from './drain.ts';
import type { Flight } from './flight.ts';

/**
 * `up`: takes requests. `ejected`: takes none until its time is over. `probing`: takes one at a time, and that one
 * decides. `gone`: not in the set any more.
 */
export type Standing = 'up' | 'ejected' | 'probing' | 'gone';

/** What its checks say. `unchecked`: it must pass one before it takes requests. Without checks all are `healthy`. */
export type Health = 'healthy' | 'unhealthy' | 'unchecked';

/** What a balancer knows of an endpoint: the candidate that policies see, and the rest. */
export class Member<E extends Endpoint> implements Candidate<E> {
  // First what every pick reads, so that it lies together in memory
  endpoint: E;
  /** Less than `fullWeight` during a slow start. */
  weight: number;
  inFlight = 0;
  /** How many may be in flight, if that is limited. */
  limit: number | undefined;
  /** The request that decides whether a probing endpoint comes back. */
  probe: Flight<E> | undefined;
  /** Whether the policy was told of it as eligible. */
  eligible = false;
  standing: Standing = 'up';
  picked = 0;
  fullWeight: number;
  /** Where the limit comes from, if it adapts. */
  limiter: Limiter | undefined;
  health: Health;
  /** Why the latest check failed. */
  checkError: unknown;
  /** While it is drained by hand. */
  drain: Drain | undefined;
  /** Whether it takes requests whatever is known of it, because of a panic. */
  inPanic = false;
  /** How often it was ejected, less what is forgiven. */
  ejections = 0;
  ejectedUntil = 0;
  /** What the latest ejection would have lasted if the endpoint had asked for nothing. */
  ejectedForMs = 0;
  upSince = 0;
  /** When it joined, or began to take requests again; a slow start counts from here. */
  startedAt: number = -Infinity;
  succeeded = 0;
  failed = 0;
  canceled = 0;

  constructor(endpoint: E, health: Health) {
    this.endpoint = endpoint;
    this.health = health;
    this.fullWeight = weightOf(endpoint);
    this.weight = this.fullWeight;
  }

  /** A limiter that it has stays, with what it learned. */
  takeOver(endpoint: E, limit: number | Limiter | undefined): void {
    this.endpoint = endpoint;
    this.fullWeight = weightOf(endpoint);
    this.weight = this.fullWeight;
    this.limiter = typeof limit === 'object' ? (this.limiter ?? limit) : undefined;
    this.limit = typeof limit === 'object' ? this.limiter!.limit : limit;
  }

  /** Whether it takes no more at the moment. */
  get isBusy(): boolean {
    return this.isFull || (this.probe !== undefined && !this.inPanic);
  }

  get isFull(): boolean {
    return this.limit !== undefined && this.inFlight >= this.limit;
  }

  /** Whether it is meant to take requests at all. */
  get wanted(): boolean {
    return this.fullWeight > 0 && this.drain === undefined;
  }

  get isUsable(): boolean {
    return this.standing === 'up' && this.health === 'healthy';
  }

  get isEjected(): boolean {
    return this.standing === 'ejected' || this.standing === 'probing';
  }
}
