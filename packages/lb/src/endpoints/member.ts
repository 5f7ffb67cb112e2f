import { type Endpoint, sameEndpoint, weightOf } from '../endpoint.ts';
import type { Limiter } from '../limits/limiter.ts';
import type { Candidate, Outcome } from '../policy.ts';
import type { Picked } from '../request.ts';

/**
 * `up`: takes requests. `ejected`: takes none until its time is over. `probing`: takes one at a time, and that one
 * decides. `gone`: not in the set any more.
 */
export type MemberState = 'up' | 'ejected' | 'probing' | 'gone';

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
  probe: Picked<E> | undefined;
  /** Whether the policy has it as eligible. */
  eligible = false;
  state: MemberState = 'up';
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

  /** Takes a new description over. A limiter that it has stays, with what it learned. */
  update(endpoint: E, limit: number | Limiter | undefined): void {
    this.endpoint = endpoint;
    this.fullWeight = weightOf(endpoint);
    this.weight = this.fullWeight;
    this.limiter = typeof limit === 'object' ? (this.limiter ?? limit) : undefined;
    this.limit = typeof limit === 'object' ? this.limiter!.limit : limit;
  }

  /** Gives the limiter a request that has just ended, and returns the limit from now on. */
  adaptLimit(limiter: Limiter, { ok, latencyMs }: Outcome, now: number): number {
    limiter.settled({ now, latencyMs, inFlight: this.inFlight + 1, dropped: !ok });
    const { limit } = limiter;
    // Also what is no number at all: with less than one the endpoint would never be heard of again
    this.limit = limit >= 1 ? limit : 1;
    return this.limit;
  }

  /** Whether it takes no more at the moment. */
  get isBusy(): boolean {
    return this.isAtLimit || (this.probe !== undefined && !this.inPanic);
  }

  get isAtLimit(): boolean {
    return this.limit !== undefined && this.inFlight >= this.limit;
  }

  /** Whether it may take requests at all: it has a weight and is not drained. */
  get isEnabled(): boolean {
    return this.fullWeight > 0 && this.drain === undefined;
  }

  get isUsable(): boolean {
    return this.state === 'up' && this.health === 'healthy';
  }

  get isEjected(): boolean {
    return this.state === 'ejected' || this.state === 'probing';
  }
}

/** A drain of one endpoint, and the wait for the requests it has in flight. */
export class Drain {
  /** Resolves when nothing is in flight, rejects when the drain is taken back before. */
  readonly idle: Promise<void>;
  finish: () => void = () => {};
  cancel: (error: Error) => void = () => {};

  constructor() {
    this.idle = new Promise((resolve, reject) => {
      this.finish = resolve;
      this.cancel = reject;
    });
    // There may be no caller that awaits it
    this.idle.catch(() => {});
  }
}

/** Ids of the endpoints in which a new set differs from the members. */
export interface Changes {
  readonly joined: readonly string[];
  readonly left: readonly string[];
  readonly changed: readonly string[];
}

/** The endpoints of a balancer by id, in the order in which they were given. */
export class Members<E extends Endpoint> extends Map<string, Member<E>> {
  get hasEnabled(): boolean {
    return this.#some(({ isEnabled }) => isEnabled);
  }

  /** Whether any takes requests, now or when it has capacity. */
  get hasEligible(): boolean {
    return this.#some(({ eligible }) => eligible);
  }

  /** Whether any takes a request now. */
  get hasCapacity(): boolean {
    return this.#some(({ eligible, isBusy }) => eligible && !isBusy);
  }

  /** Whether one that could take requests otherwise is at its limit. */
  hasAtLimit(exclude: readonly string[]): boolean {
    return this.#some(
      ({ eligible, isAtLimit, endpoint }) => eligible && isAtLimit && !exclude.includes(endpoint.id),
    );
  }

  /** A new array of those that may take requests at all, whether or not they do for now. */
  enabled(): Member<E>[] {
    return [...this.values()].filter(({ isEnabled }) => isEnabled);
  }

  /** What the set changes; `undefined` when that is nothing. */
  changesTo(endpoints: readonly E[]): Changes | undefined {
    const ids = new Set(endpoints.map(({ id }) => id));
    const left = [...this.keys()].filter(id => !ids.has(id));
    const joined = [...ids].filter(id => !this.has(id));
    const changed = endpoints.filter(endpoint => differs(this.get(endpoint.id), endpoint));
    if (left.length + joined.length + changed.length === 0) return undefined;
    return { joined, left, changed: changed.map(({ id }) => id) };
  }

  #some(test: (member: Member<E>) => boolean): boolean {
    for (const member of this.values()) if (test(member)) return true;
    return false;
  }
}

function differs<E extends Endpoint>(member: Member<E> | undefined, endpoint: E): boolean {
  if (member === undefined) return false;
  return !sameEndpoint(member.endpoint, endpoint) || member.fullWeight !== weightOf(endpoint);
}
