import { refuseMore } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import type { Candidate, PickRequest, Policy, PolicyFactory } from '../policy.ts';
import { Lottery } from './shared/lottery.ts';

/** A random endpoint, in proportion to the weights. */
export function random(...more: []): PolicyFactory {
  refuseMore('random', more, 0);
  return () => new RandomPolicy();
}

class RandomPolicy<E extends Endpoint> implements Policy<E> {
  readonly #lottery = new Lottery<E>();
  #candidates: readonly Candidate<E>[] = [];

  update(eligible: readonly Candidate<E>[]): void {
    this.#candidates = eligible;
    this.#lottery.update(eligible);
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    return this.#candidates[this.#lottery.draw(request)];
  }
}
