import { type Endpoint, sameEndpoint, weightOf } from '../endpoint.ts';
import type { Limiter } from '../limits/limiter.ts';
import type { Candidate, Outcome } from '../policy.ts';

/**
 * `up`: takes requests. `ejected`: takes none until its ejection ends. `probing`: takes one at a time, which decides.
 * `gone`: no longer in the set.
 */
export type MemberState = 'up' | 'ejected' | 'probing' | 'gone';

/** The result of its checks. `unchecked`: it must pass one before it takes requests. Without checks all are `healthy`. */
export type Health = 'healthy' | 'unhealthy' | 'unchecked';

/** The latest request that decides whether a probing endpoint comes back. */
export interface Probe {
  readonly startedAt: number;
}

/** The state of an endpoint: the candidate that policies see, and the rest. */
export class Member<E extends Endpoint> implements Candidate<E> {
  // First the fields that every pick reads, so that they are adjacent in memory
  endpoint: E;
  /** Less than `fullWeight` during a slow start. */
  weight: number;
  inFlight = 0;
  /** How many may be in flight, if that is limited. */
  limit: number | undefined;
  /** While the endpoint is probed: no other request may have it. */
  probe: Probe | undefined;
  /** Whether the policy has it as eligible. */
  eligible = false;
  state: MemberState = 'up';
  picked = 0;
  fullWeight: number;
  /** The source of the limit, if it adapts. */
  limiter: Limiter | undefined;
  health: Health;
  /** Why the latest check failed. */
  checkError: unknown;
  /** While it is drained by `drain`. */
  drain: Drain | undefined;
  /** Whether it takes requests whatever its state, because of a panic. */
  inPanic = false;
  /** How often it was ejected, less the forgiven ones. */
  ejections = 0;
  ejectedAt = 0;
  ejectedUntil = 0;
  /** How long the latest ejection lasts, unless it ends early. */
  ejectedForMs = 0;
  /** Orders the ejected endpoints by when each was the last resort. */
  lastResort = 0;
  upSince = 0;
  /** When it joined, or began to take requests again: the start of a slow start. */
  startedAt: number = -Infinity;
  succeeded = 0;
  failed = 0;
  /** Failures without blame, which `failed` includes. */
  excused = 0;
  canceled = 0;

  constructor(endpoint: E, health: Health) {
    this.endpoint = endpoint;
    this.health = health;
    this.fullWeight = weightOf(endpoint);
    this.weight = this.fullWeight;
  }

  /** Takes a new description over. An existing limiter stays, with what it has learned. */
  update(endpoint: E, limit: number | Limiter | undefined): void {
    this.endpoint = endpoint;
    this.fullWeight = weightOf(endpoint);
    this.weight = this.fullWeight;
    this.limiter = typeof limit === 'object' ? (this.limiter ?? limit) : undefined;
    this.limit = typeof limit === 'object' ? this.limiter!.limit : limit;
  }

  /** Passes a request that has just ended to the limiter, and returns the new limit. */
  adaptLimit(limiter: Limiter, { ok, latencyMs }: Outcome, now: number): number {
    limiter.settled({ now, latencyMs, inFlight: this.inFlight + 1, dropped: !ok });
    const { limit } = limiter;
    // Also for NaN: with a limit below one the endpoint would never get a request again
    this.limit = limit >= 1 ? limit : 1;
    return this.limit;
  }

  /** Whether it takes no further request now. */
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
  /** Resolves when nothing is in flight; rejects when `undrain` comes before. */
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

/** The ids of the endpoints in which a new set differs from the members. */
export interface Changes {
  readonly joined: readonly string[];
  readonly left: readonly string[];
  readonly changed: readonly string[];
}

/** The endpoints of a balancer by id, in the order given. */
export class Members<E extends Endpoint> extends Map<string, Member<E>> {
  get hasEnabled(): boolean {
    return this.#some(({ isEnabled }) => isEnabled);
  }

  /** Whether any endpoint takes requests, now or when it has capacity. */
  get hasEligible(): boolean {
    return this.#some(({ eligible }) => eligible);
  }

  /** Whether any endpoint takes a request now. */
  get hasCapacity(): boolean {
    return this.#some(({ eligible, isBusy }) => eligible && !isBusy);
  }

  /** Whether an endpoint that is eligible and not excluded is at its limit. */
  hasAtLimit(exclude: readonly string[]): boolean {
    return this.#some(
      ({ eligible, isAtLimit, endpoint }) => eligible && isAtLimit && !exclude.includes(endpoint.id),
    );
  }

  /** A new array of the endpoints that are not drained, whether or not they take requests now. */
  enabled(): Member<E>[] {
    return [...this.values()].filter(({ isEnabled }) => isEnabled);
  }

  /** The changes that the set brings; `undefined` when there are none. */
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
