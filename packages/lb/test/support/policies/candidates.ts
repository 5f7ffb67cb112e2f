import { seededRandom } from '@ashlar/core';
import type { Candidate, Endpoint, PickRequest, Policy, PolicyFactory } from '../../../src/index.ts';

export interface MutableCandidate extends Candidate<Endpoint> {
  inFlight: number;
  weight: number;
}

export function candidate(id: string, zone?: string, weight = 1): MutableCandidate {
  return { endpoint: { id, weight, ...(zone === undefined ? {} : { zone }) }, inFlight: 0, weight };
}

/** Asks a policy as a balancer does, with seeded randomness; requests are over at once. */
export class Asking {
  readonly policy: Policy<Endpoint>;
  readonly #random = seededRandom(7);

  constructor(
    factory: PolicyFactory,
    eligible: readonly Candidate<Endpoint>[],
    all: readonly Candidate<Endpoint>[] = eligible,
  ) {
    this.policy = factory<Endpoint>();
    this.update(eligible, all);
  }

  update(eligible: readonly Candidate<Endpoint>[], all: readonly Candidate<Endpoint>[] = eligible): void {
    this.policy.update([...eligible], [...all]);
  }

  pick(key?: string, skip: PickRequest<Endpoint>['skip'] = () => false): string | undefined {
    return this.policy.pick({ key, now: 0, random: this.#random, skip })?.endpoint.id;
  }

  /** The part of so many requests that fulfills the condition. */
  part(
    count: number,
    holds: (id: string | undefined) => boolean,
    skip?: PickRequest<Endpoint>['skip'],
  ): number {
    let fulfilled = 0;
    for (let i = 0; i < count; i++) if (holds(this.pick(undefined, skip))) fulfilled++;
    return fulfilled / count;
  }
}
