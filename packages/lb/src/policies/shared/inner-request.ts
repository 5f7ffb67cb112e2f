import type { Random } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Endpoint } from '../../endpoint.ts';
import type { Candidate, PickRequest } from '../../policy.ts';

/** A request as a policy within another one sees it, which has a part of the candidates; one object, used again. */
export class InnerRequest<E extends Endpoint> implements PickRequest<E> {
  key: Key | undefined;
  now = 0;
  random: Random = Math.random;
  readonly skip: (candidate: Candidate<E>) => boolean;
  #outer: PickRequest<E> | undefined;

  /** @param leaveOut what is skipped besides what the outer request skips */
  constructor(leaveOut?: (candidate: Candidate<E>) => boolean) {
    this.skip =
      leaveOut === undefined
        ? candidate => this.#outer!.skip(candidate)
        : candidate => leaveOut(candidate) || this.#outer!.skip(candidate);
  }

  /** This object, saying what the request says; how much is in flight on the part is not known. */
  of(request: PickRequest<E>): PickRequest<E> {
    this.#outer = request;
    this.key = request.key;
    this.now = request.now;
    this.random = request.random;
    return this;
  }
}
