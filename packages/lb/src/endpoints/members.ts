import type { Endpoint } from '../endpoint.ts';
import type { Member } from './member.ts';

/** The endpoints of a balancer by id, in the order in which they were given. */
export class Members<E extends Endpoint> extends Map<string, Member<E>> {
  /** Whether there is none that may ever be given a request. */
  get isEmpty(): boolean {
    return !this.#some(({ wanted }) => wanted);
  }

  /** Whether any takes requests, now or when it has room. */
  get isServing(): boolean {
    return this.#some(({ eligible }) => eligible);
  }

  /** Whether any takes a request now. */
  get hasRoom(): boolean {
    return this.#some(({ eligible, isBusy }) => eligible && !isBusy);
  }

  /** Whether one that could take requests otherwise has as many in flight as it may. */
  isFull(exclude: readonly string[]): boolean {
    return this.#some(
      ({ eligible, isFull, endpoint }) => eligible && isFull && !exclude.includes(endpoint.id),
    );
  }

  #some(test: (member: Member<E>) => boolean): boolean {
    for (const member of this.values()) if (test(member)) return true;
    return false;
  }
}
