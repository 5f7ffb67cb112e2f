import { readOptions } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import type { Candidate, Outcome, PickRequest, Policy, PolicyFactory } from '../policy.ts';
import { Lottery, none } from './shared/lottery.ts';
import { HeldFailures, type PenaltyOptions, penaltyRules } from './shared/penalty.ts';

/** A failure keeps counting as in flight, for `penaltyMs` on average. */
export interface LeastRequestsOptions extends PenaltyOptions {}

/**
 * Draws two endpoints, one in proportion to the weights and one of the others. The one with fewer requests in flight for its
 * weight takes the request; if they are equal, the first. Shares follow the weights while all are idle, and requests in
 * flight follow them under load. (The power of two choices, Mitzenmacher 1996; weights as in HAProxy's `random(2)`.)
 *
 * An endpoint that fails fast has little in flight and would attract requests. So a failure keeps counting as a request in
 * flight, for `penaltyMs` on average.
 *
 * @throws InvalidOptionError
 */
export function leastRequests(options: LeastRequestsOptions = {}): PolicyFactory {
  const { penaltyMs } = readOptions('leastRequests', options, penaltyRules);
  return () => new LeastRequests(penaltyMs);
}

class LeastRequests<E extends Endpoint> implements Policy<E> {
  readonly #lottery = new Lottery<E>();
  readonly #failures: HeldFailures<E>;
  #candidates: readonly Candidate<E>[] = [];

  constructor(penaltyMs: number) {
    this.#failures = new HeldFailures(penaltyMs);
  }

  update(eligible: readonly Candidate<E>[]): void {
    this.#candidates = eligible;
    this.#lottery.update(eligible);
    this.#failures.retain(eligible);
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    const lottery = this.#lottery;
    lottery.drawTwo(request);
    if (lottery.second === none) return this.#candidates[lottery.first];
    const first = this.#candidates[lottery.first]!;
    const second = this.#candidates[lottery.second]!;
    const { isEmpty } = this.#failures;
    const firstLoad = isEmpty ? first.inFlight : this.#load(first, request.now);
    const secondLoad = isEmpty ? second.inFlight : this.#load(second, request.now);
    return secondLoad * first.weight < firstLoad * second.weight ? second : first;
  }

  settled(candidate: Candidate<E>, outcome: Outcome, now: number): void {
    if (!outcome.ok) this.#failures.add(candidate, outcome, now);
  }

  #load(candidate: Candidate<E>, now: number): number {
    return candidate.inFlight + this.#failures.of(candidate, now);
  }
}
