import { defaultTo, number, type RulesFor, readOptions, required, text } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
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
  policyRule,
} from '../policy.ts';
import { leastRequests } from './least-requests.ts';
import { InnerRequest } from './shared/inner-request.ts';

export interface ZoneAwareOptions {
  /** The zone of this client. */
  readonly zone: string;
  /**
   * Chooses among the endpoints of the zone; another policy made alike chooses among all others.
   * Default: `leastRequests()`.
   */
  readonly policy?: PolicyFactory;
  /**
   * How many times its own requests the zone can serve when all its endpoints are up, at least 1 (Envoy's overprovisioning
   * factor). Default: 1.4: all requests stay until less than 1 / 1.4, about 71 %, of the zone's weight is up.
   */
  readonly overprovisioning?: number;
  /**
   * The part of all requests that come from this zone, above 0 and at most 1. If given, it decides instead of
   * `overprovisioning`: no more requests stay than the zone's part of all weight that is up can take, so that all endpoints
   * in all zones have the same load (Envoy's zone-aware routing).
   */
  readonly trafficShare?: number;
}

const rules = /* @__PURE__ */ (() =>
  ({
    zone: required(text(), 'the zone of this client'),
    policy: defaultTo(leastRequests(), policyRule),
    overprovisioning: number(1.4, { min: 1 }),
    trafficShare: number(undefined, { above: 0, max: 1 }),
  }) satisfies RulesFor<ZoneAwareOptions>)();

/**
 * Requests stay in their zone while its endpoints can take them; the rest goes to all other zones alike. When a part of
 * the zone is out, as many requests leave the zone as its other endpoints cannot take. When no endpoint of the zone can take a
 * request, all being ejected or at a limit, it leaves the zone, and the other way round.
 *
 * @throws InvalidOptionError
 */
export function zoneAware(options: ZoneAwareOptions): PolicyFactory {
  const { zone, policy, overprovisioning, trafficShare } = readOptions('zoneAware', options, rules);
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
  /** The part of the requests that stays; 1 and more: all. */
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

  serves(candidate: Candidate<E>, key: Key | undefined): boolean {
    return this.#of(candidate).serves?.(candidate, key) ?? true;
  }

  settled(candidate: Candidate<E>, outcome: Outcome, now: number): void {
    this.#of(candidate).settled?.(candidate, outcome, now);
  }

  outrun(candidate: Candidate<E>, afterMs: number, now: number): void {
    this.#of(candidate).outrun?.(candidate, afterMs, now);
  }

  /** Both policies have probes of their own. */
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
