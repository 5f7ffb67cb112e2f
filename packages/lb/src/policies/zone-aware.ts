import { describe, InvalidOptionError, knownOptions, numberOption } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import { weightOf } from '../endpoint.ts';
import {
  type Candidate,
  makePolicy,
  type Outcome,
  type PickRequest,
  type Policy,
  type PolicyFactory,
  type Probing,
} from '../policy.ts';
import { leastRequests } from './least-requests.ts';
import { InnerRequest } from './shared/inner-request.ts';

export interface ZoneAwareOptions {
  /** Where the requests come from. */
  readonly zone: string;
  /** Chooses among the endpoints of the zone, and another one like it among all others; `leastRequests()` if absent. */
  readonly policy?: PolicyFactory;
  /**
   * How many times its own requests the zone can serve when all its endpoints are up, at least 1; 1.4 if absent: all stay
   * until less than 1 / 1.4, about 71 %, of its weight is up (Envoy's overprovisioning factor).
   */
  readonly overprovisioning?: number;
  /**
   * The part of all requests that come from this zone, above 0 and at most 1. If given, it decides instead of
   * `overprovisioning`: no more stay than the zone's part of all weight that is up can take, so that all endpoints
   * everywhere have the same load (Envoy's zone-aware routing).
   */
  readonly trafficShare?: number;
}

/**
 * Requests stay in their zone while its endpoints can take them; the rest goes to all other zones alike. When a part of
 * the zone is out, as many requests go elsewhere as the others there could not take; when nobody in the zone can take a
 * request, being ejected or at a limit, it goes elsewhere, and the other way round.
 *
 * @throws InvalidOptionError
 */
export function zoneAware(options: ZoneAwareOptions): PolicyFactory {
  knownOptions('zoneAware', options, ['zone', 'policy', 'overprovisioning', 'trafficShare']);
  const { zone, policy = leastRequests(), overprovisioning = 1.4, trafficShare } = options;
  if (typeof zone !== 'string' || zone === '') {
    throw new InvalidOptionError(
      'zone',
      `\`zone\` must be a string that is not empty, got ${describe(zone)}`,
    );
  }
  if (typeof policy !== 'function') {
    throw new InvalidOptionError('policy', `\`policy\` must be a policy, got ${describe(policy)}`);
  }
  numberOption('overprovisioning', overprovisioning, { min: 1 });
  if (trafficShare !== undefined) numberOption('trafficShare', trafficShare, { above: 0, max: 1 });
  return <E extends Endpoint>() => {
    const stays = (weights: Weights) =>
      trafficShare === undefined
        ? (overprovisioning * weights.nearUp) / weights.near
        : weights.nearUp / weights.up / trafficShare;
    return new ZoneAware<E>(zone, makePolicy(policy), makePolicy(policy), stays);
  };
}

interface Weights {
  readonly near: number;
  readonly nearUp: number;
  readonly up: number;
}

class ZoneAware<E extends Endpoint> implements Policy<E> {
  readonly #zone: string;
  readonly #near: Policy<E>;
  readonly #far: Policy<E>;
  readonly #part: (weights: Weights) => number;
  readonly #request = new InnerRequest<E>();
  /** How many of the requests stay; 1 and more: all. */
  #stays = 1;
  #hasNear = false;
  #hasFar = false;

  constructor(zone: string, near: Policy<E>, far: Policy<E>, part: (weights: Weights) => number) {
    this.#zone = zone;
    this.#near = near;
    this.#far = far;
    this.#part = part;
  }

  update(eligible: readonly Candidate<E>[], all: readonly Candidate<E>[] = eligible): void {
    const [near, far] = this.#split(eligible);
    const [allNear, allFar] = this.#split(all);
    this.#near.update(near, allNear);
    this.#far.update(far, allFar);
    this.#hasNear = near.length > 0;
    this.#hasFar = far.length > 0;
    const full = (candidate: Candidate<E>) => weightOf(candidate.endpoint);
    const now = ({ weight }: Candidate<E>) => weight;
    const nearUp = sum(near, now);
    this.#stays = this.#hasNear
      ? this.#part({ near: sum(allNear, full), nearUp, up: nearUp + sum(far, now) })
      : 0;
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    if (!this.#hasFar) return this.#near.pick(request);
    if (!this.#hasNear) return this.#far.pick(request);
    const inner = this.#request.of(request);
    if (this.#stays >= 1 || request.random() < this.#stays) {
      return this.#near.pick(inner) ?? this.#far.pick(inner);
    }
    return this.#far.pick(inner) ?? this.#near.pick(inner);
  }

  settled(candidate: Candidate<E>, outcome: Outcome, now: number): void {
    this.#of(candidate).settled?.(candidate, outcome, now);
  }

  outrun(candidate: Candidate<E>, afterMs: number, now: number): void {
    this.#of(candidate).outrun?.(candidate, afterMs, now);
  }

  /** Each asks for probes of its own. */
  get probing(): Probing<E> | undefined {
    const near = this.#near.probing;
    const far = this.#far.probing;
    if (near === undefined || far === undefined) return undefined;
    return {
      probe: near.probe,
      timeoutMs: near.timeoutMs,
      next: random => near.next(random) ?? far.next(random),
      probed: (candidate, load, now) => this.#of(candidate).probing?.probed(candidate, load, now),
    };
  }

  #of({ endpoint }: Candidate<E>): Policy<E> {
    return endpoint.zone === this.#zone ? this.#near : this.#far;
  }

  #split(candidates: readonly Candidate<E>[]): [near: Candidate<E>[], far: Candidate<E>[]] {
    const near: Candidate<E>[] = [];
    const far: Candidate<E>[] = [];
    for (const candidate of candidates) (candidate.endpoint.zone === this.#zone ? near : far).push(candidate);
    return [near, far];
  }
}

function sum<E extends Endpoint>(
  candidates: readonly Candidate<E>[],
  weigh: (candidate: Candidate<E>) => number,
): number {
  return candidates.reduce((total, candidate) => total + weigh(candidate), 0);
}
