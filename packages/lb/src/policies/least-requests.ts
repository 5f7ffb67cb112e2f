import type { Candidate } from '../candidate.ts';
import type { Endpoint } from '../endpoint.ts';
import type { PickRequest, Policy, PolicyFactory } from '../policy.ts';
import { Lottery } from './lottery.ts';

/**
 * Two endpoints are drawn in proportion to their weights, and the one with fewer requests in flight for its weight takes
 * the request; when they are even, the one that was drawn first. So shares follow the weights while all are idle, and
 * requests in flight do under load. (The power of two choices, Mitzenmacher 1996; weights as in HAProxy's `random(2)`.)
 *
 * An endpoint that fails fast has few requests in flight and draws more of them: leave `outlier` on.
 */
export function leastRequests(): PolicyFactory {
  return () => new LeastRequests();
}

class LeastRequests<E extends Endpoint> implements Policy<E> {
  readonly #lottery = new Lottery<E>();

  update(eligible: readonly Candidate<E>[]): void {
    this.#lottery.update(eligible);
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    const first = this.#lottery.draw(request);
    if (first === undefined) return undefined;
    const second = this.#lottery.draw(request, first);
    if (second === undefined) return first;
    return second.inFlight * first.weight < first.inFlight * second.weight ? second : first;
  }
}
