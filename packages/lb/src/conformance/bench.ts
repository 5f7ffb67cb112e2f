import assert from 'node:assert/strict';
import { seededRandom } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import type { Candidate, PickRequest, Policy, PolicyFactory } from '../policy.ts';

export interface Mutable extends Candidate<Endpoint> {
  inFlight: number;
  weight: number;
}

export function candidate(id: string, weight = 1): Mutable {
  return { endpoint: { id, weight }, inFlight: 0, weight };
}

/** A small balancer: counts requests in flight, and advances time by a millisecond a request. */
export class Bench {
  readonly #policy: Policy<Endpoint>;
  readonly #random = seededRandom(42);
  #now = 0;

  constructor(makePolicy: PolicyFactory) {
    this.#policy = makePolicy<Endpoint>();
  }

  update(eligible: readonly Mutable[]): void {
    this.#policy.update(Object.freeze([...eligible]));
  }

  join(...ids: string[]): Mutable[] {
    const all = ids.map(id => candidate(id));
    this.update(all);
    return all;
  }

  hold(
    key?: PickRequest<Endpoint>['key'],
    skip: (one: Candidate<Endpoint>) => boolean = () => false,
  ): Mutable | undefined {
    const request = { key, now: this.#now++, random: this.#random, skip };
    const picked = this.#policy.pick(request) as Mutable | undefined;
    if (picked !== undefined) picked.inFlight++;
    return picked;
  }

  release(picked: Mutable, outcome: { ok: boolean; latencyMs: number }): void {
    picked.inFlight--;
    this.#policy.settled?.(picked, outcome, this.#now);
  }

  pick(
    key?: PickRequest<Endpoint>['key'],
    skip?: (one: Candidate<Endpoint>) => boolean,
  ): Mutable | undefined {
    const picked = this.hold(key, skip);
    if (picked !== undefined) this.release(picked, { ok: true, latencyMs: 1 });
    return picked;
  }

  /** How often each is picked, by id, over requests without a key. */
  count(skip?: (one: Candidate<Endpoint>) => boolean): Map<string, number> {
    const counts = new Map<string, number>();
    for (let i = 0; i < 30_000; i++) {
      const { id } = this.pick(undefined, skip)!.endpoint;
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  }
}

export function assertShares(
  counts: ReadonlyMap<string, number>,
  weights: ReadonlyMap<string, number>,
  tolerance: number,
): void {
  const sum = (numbers: ReadonlyMap<string, number>) => [...numbers.values()].reduce((a, b) => a + b, 0);
  for (const [id, weight] of weights) {
    const expected = weight / sum(weights);
    const share = (counts.get(id) ?? 0) / sum(counts);
    const off = Math.abs(share / expected - 1);
    assert.ok(off <= tolerance, `${id} has a share of ${share}, not ${expected} within ${tolerance * 100} %`);
  }
}
