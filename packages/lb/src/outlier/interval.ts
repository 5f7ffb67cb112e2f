import type { Endpoint } from '../endpoint.ts';
import type { Member } from '../endpoints/member.ts';

interface Count {
  readonly succeeded: number;
  readonly failed: number;
}

const none: Count = { succeeded: 0, failed: 0 };

/**
 * Intervals without a timer: one ends with the first request after its time. Its figures are the differences of counts that
 * members keep anyway, so that a request costs nothing here.
 */
export class Interval<E extends Endpoint> {
  readonly #lengthMs: number;
  #endsAt = -Infinity;
  /** The counts when the interval began, or when the endpoint came back in it. Absent for endpoints that have joined since. */
  #before = new Map<Member<E>, Count>();

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs;
  }

  get endsAt(): number {
    return this.#endsAt;
  }

  /**
   * Begins the next interval and returns the tallies of the one before; none if it ended more than an interval ago.
   */
  next(members: Iterable<Member<E>>, now: number): Tally<Member<E>>[] {
    const tallies: Tally<Member<E>>[] = [];
    const before = this.#before;
    const isFresh = now < this.#endsAt + this.#lengthMs;
    this.#before = new Map();
    this.#endsAt = now + this.#lengthMs;
    for (const member of members) {
      const { succeeded, failed } = before.get(member) ?? none;
      const after = countOf(member);
      this.#before.set(member, after);
      if (!isFresh) continue;
      tallies.push({ of: member, succeeded: after.succeeded - succeeded, failed: after.failed - failed });
    }
    return tallies;
  }

  /** Drops the counts of the endpoint in this interval. */
  startAnew(member: Member<E>): void {
    this.#before.set(member, countOf(member));
  }

  forget(member: Member<E>): void {
    this.#before.delete(member);
  }
}

/** A failure without blame counts as an answer. */
function countOf<E extends Endpoint>({ succeeded, failed, excused }: Member<E>): Count {
  return { succeeded: succeeded + excused, failed: failed - excused };
}

/** The requests to one endpoint within an interval. */
export interface Tally<T> {
  readonly of: T;
  readonly succeeded: number;
  readonly failed: number;
}

/** An endpoint that should be ejected, and why. */
export interface Outlier<T> {
  readonly of: T;
  readonly reason: string;
}

export function total({ succeeded, failed }: Tally<unknown>): number {
  return succeeded + failed;
}

/** In percent. */
export function failureRate({ succeeded, failed }: Tally<unknown>): number {
  return (failed * 100) / (succeeded + failed);
}
