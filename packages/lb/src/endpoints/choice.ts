import type { Random } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Endpoint } from '../endpoint.ts';
import { PolicyError } from '../errors.ts';
import type { PickRequest, Policy } from '../policy.ts';
import type { Member, Members } from './member.ts';

export interface ChoiceParts<E extends Endpoint> {
  readonly balancer: string;
  readonly members: Members<E>;
  readonly policy: Policy<E>;
  readonly random: Random;
}

/** Which endpoint takes a request: the one that is preferred, else the policy's, else one of the last resort. */
export class Choice<E extends Endpoint> {
  readonly #balancer: string;
  readonly #members: Members<E>;
  readonly #policy: Policy<E>;
  /** One object for all picks, so that a pick need not allocate it. */
  readonly #request: { -readonly [K in keyof PickRequest<E>]: PickRequest<E>[K] };
  #exclude: readonly string[] = [];
  #lastResorts = 0;

  constructor({ balancer, members, policy, random }: ChoiceParts<E>) {
    this.#balancer = balancer;
    this.#members = members;
    this.#policy = policy;
    const skip = (candidate: { readonly endpoint: E }) =>
      (candidate as Member<E>).isBusy ||
      (this.#exclude.length > 0 && this.#exclude.includes(candidate.endpoint.id));
    this.#request = { key: undefined, now: 0, random, inFlight: 0, skip };
  }

  /** Requests in flight to the endpoints that the policy chooses from. */
  get inFlight(): number {
    return this.#request.inFlight!;
  }

  set inFlight(count: number) {
    this.#request.inFlight = count;
  }

  recount(): void {
    let inFlight = 0;
    for (const member of this.#members.values()) if (member.eligible) inFlight += member.inFlight;
    this.#request.inFlight = inFlight;
  }

  /** @throws PolicyError, and what the policy throws */
  choose(
    key: Key | undefined,
    exclude: readonly string[],
    prefer: string | undefined,
    now: number,
  ): Member<E> | undefined {
    const request = this.#request;
    request.key = key;
    request.now = now;
    this.#exclude = exclude;
    const preferred = prefer === undefined ? undefined : this.#preferred(prefer, key, exclude);
    const member = preferred ?? (this.#policy.pick(request) as Member<E> | undefined);
    if (member !== undefined && member.eligible !== true)
      throw new PolicyError(`the policy of ${this.#balancer} picked no candidate of its own`);
    return member;
  }

  #preferred(id: string, key: Key | undefined, exclude: readonly string[]): Member<E> | undefined {
    const member = this.#members.get(id);
    if (member?.eligible !== true || member.isBusy || exclude.includes(id)) return undefined;
    return this.#policy.serves?.(member, key) === false ? undefined : member;
  }

  /** Before an error: an ejected endpoint, or one being probed, in turns. None while another one is only at its limit. */
  lastResort(exclude: readonly string[]): Member<E> | undefined {
    let found: Member<E> | undefined;
    for (const member of this.#members.values()) {
      if (!member.isEnabled || exclude.includes(member.endpoint.id)) continue;
      if (member.eligible && (member.isAtLimit || !member.isBusy)) return undefined;
      if (!member.isEjected || member.health !== 'healthy' || member.isAtLimit) continue;
      if (found === undefined || member.lastResort < found.lastResort) found = member;
    }
    if (found !== undefined) found.lastResort = ++this.#lastResorts;
    return found;
  }
}
