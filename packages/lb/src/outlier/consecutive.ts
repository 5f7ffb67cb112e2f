import type { Endpoint } from '../endpoint.ts';
import type { Member } from '../endpoints/member.ts';

interface Run {
  /** Since any success. */
  inRow: number;
  /** Since a success of a request that was picked after the first failure. */
  failures: number;
  /** The sequence of the first request that failed. */
  readonly since: number;
}

/**
 * Ejects after so many failures in a row, of whatever kind. Keeps on saying so until one request succeeds.
 *
 * Where much is in flight, answers to requests from before the first failure still come in between, and would hide an
 * endpoint that fails everything. So these are overlooked if at least half of what it was given since has failed.
 */
export class ConsecutiveFailures<E extends Endpoint> {
  readonly #limit: number;
  /** Those whose last request failed; empty as a rule, so that a success costs nothing. */
  readonly #runs = new Map<Member<E>, Run>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Returns why the endpoint should be ejected; `undefined` when it need not be.
   *
   * @param sequence how many requests the endpoint was given before this one
   */
  observe(member: Member<E>, sequence: number, ok: boolean): string | undefined {
    if (ok) {
      if (this.#runs.size > 0) this.#succeeded(member, sequence);
      return undefined;
    }
    const run = this.#runs.get(member) ?? { inRow: 0, failures: 0, since: sequence };
    this.#runs.set(member, run);
    run.inRow++;
    run.failures++;
    if (run.inRow >= this.#limit) return `${run.inRow} failures in a row`;
    const given = member.picked - run.since;
    if (run.failures < this.#limit || run.failures * 2 < given) return undefined;
    return `${run.failures} failures of ${given} requests`;
  }

  forget(member: Member<E>): void {
    this.#runs.delete(member);
  }

  #succeeded(member: Member<E>, sequence: number): void {
    const run = this.#runs.get(member);
    if (run === undefined) return;
    if (sequence >= run.since) this.#runs.delete(member);
    else run.inRow = 0;
  }
}
