import type { Random } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Endpoint } from '../../endpoint.ts';
import type { Candidate, PickRequest } from '../../policy.ts';

/** A request as the policy within another one sees it, which has a part of the candidates. One object, reused. */
export class InnerRequest<E extends Endpoint> implements PickRequest<E> {
  key: Key | undefined;
  now = 0;
  random: Random = Math.random;
  readonly skip: (candidate: Candidate<E>) => boolean;
  #outer: PickRequest<E> | undefined;

  /** @param leaveOut skips further candidates besides those of the outer request */
  constructor(leaveOut?: (candidate: Candidate<E>) => boolean) {
    this.skip =
      leaveOut === undefined
        ? candidate => this.#outer!.skip(candidate)
        : candidate => leaveOut(candidate) || this.#outer!.skip(candidate);
  }

  /** This object with the fields of the request, except `inFlight`, which is unknown for a part. */
  of(request: PickRequest<E>): PickRequest<E> {
    this.#outer = request;
    this.key = request.key;
    this.now = request.now;
    this.random = request.random;
    return this;
  }
}
