import { refuseMore } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import type { Candidate, PickRequest, Policy, PolicyFactory } from '../policy.ts';
import { Lottery } from './shared/lottery.ts';

/**
 * One after another, in the order of the endpoints, whatever their weights. The turn of one that must be skipped goes to a
 * random other one, so that its neighbor does not get all of its requests. A change of the set continues where it was.
 */
export function roundRobin(...more: []): PolicyFactory {
  refuseMore('roundRobin', more, 0);
  return () => new RoundRobin();
}

class RoundRobin<E extends Endpoint> implements Policy<E> {
  readonly #lottery = new Lottery<E>(() => 1);
  #candidates: readonly Candidate<E>[] = [];
  #next = 0;

  update(eligible: readonly Candidate<E>[]): void {
    const positions = new Map(eligible.map((candidate, index) => [candidate, index]));
    const waiting = [...this.#candidates.slice(this.#next), ...this.#candidates.slice(0, this.#next)];
    const next = waiting.find(candidate => positions.has(candidate));
    this.#next = next === undefined ? 0 : positions.get(next)!;
    this.#candidates = eligible;
    this.#lottery.update(eligible);
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    const candidate = this.#candidates[this.#next];
    if (candidate === undefined) return undefined;
    this.#next = this.#next + 1 === this.#candidates.length ? 0 : this.#next + 1;
    return request.skip(candidate) ? this.#candidates[this.#lottery.draw(request)] : candidate;
  }
}
