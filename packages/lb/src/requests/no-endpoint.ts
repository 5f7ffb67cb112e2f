import type { Follower } from '../discovery/follower.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Members } from '../endpoints/member.ts';
import { NoEndpointError } from '../errors.ts';

export type NoEndpointReason = NoEndpointError['reason'];

/** Why a request gets no endpoint, and whether it may get one later. */
export class NoEndpoint<E extends Endpoint> {
  readonly #balancer: string;
  readonly #members: Members<E>;
  readonly #follower: Follower<E> | undefined;

  constructor(balancer: string, members: Members<E>, follower: Follower<E> | undefined) {
    this.#balancer = balancer;
    this.#members = members;
    this.#follower = follower;
  }

  reason(exclude: readonly string[]): NoEndpointReason {
    const members = this.#members;
    if (members.hasEnabled) {
      if (!members.hasEligible) return 'unhealthy';
      return members.hasAtLimit(exclude) ? 'full' : 'excluded';
    }
    return this.#follower === undefined || members.size > 0 ? 'empty' : 'undiscovered';
  }

  /** Whether a waiting request may get an endpoint. */
  mayPass(reason: NoEndpointReason): boolean {
    return reason === 'full' || (reason === 'undiscovered' && this.#follower?.state === 'waiting');
  }

  error(reason: NoEndpointReason): NoEndpointError {
    const cause = reason === 'undiscovered' ? this.#follower?.error : undefined;
    return new NoEndpointError(this.#balancer, reason, cause === undefined ? {} : { cause });
  }
}
