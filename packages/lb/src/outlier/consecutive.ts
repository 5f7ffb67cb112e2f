import type { Endpoint } from '../endpoint.ts';
import type { Member } from '../endpoints/member.ts';

interface Run {
  /** Failures since any success. */
  inRow: number;
  /** Failures since a success of a request that was picked after the first failure. */
  failures: number;
  /** The sequence of the first request that failed. */
  readonly since: number;
}

/**
 * Ejects after a number of failures in a row, of any kind, and for each further failure until a request succeeds.
 *
 * With many requests in flight, answers to requests from before the first failure arrive in between, and would hide an
 * endpoint that fails everything. They do not count if at least half of the requests since the first failure have failed.
 */
export class ConsecutiveFailures<E extends Endpoint> {
  readonly #limit: number;
  /** Endpoints whose last request failed; usually empty, so that a success costs nothing. */
  readonly #runs = new Map<Member<E>, Run>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Returns why the endpoint should be ejected; `undefined` when it need not be.
   *
   * @param sequence how many requests the endpoint got before this one
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
