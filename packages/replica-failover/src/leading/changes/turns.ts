import { abortable, withDeadline } from '@ashlar/core';
import { Lease, type Store } from '@ashlar/store';
import type { AuthorityContext } from '../../authority.ts';
import { FailoverRefusedError } from '../../errors.ts';
import type { Terms } from '../record.ts';
import { Steps, type StepsSettings } from './steps.ts';

/** Milliseconds for which the store keeps the lease of an orchestrator that has died. */
const leaseMs = 3_000;

/** Changes of the servers: one at a time in this process, and one process at a time, by a lease of the store. */
export class Turns {
  readonly #context: AuthorityContext;
  readonly #terms: Terms;
  readonly #store: Store;
  readonly #settings: StepsSettings;
  #taken: Promise<unknown> | undefined;

  constructor(context: AuthorityContext, terms: Terms, store: Store, settings: StepsSettings) {
    this.#context = context;
    this.#terms = terms;
    this.#store = store;
    this.#settings = settings;
  }

  get isTaken(): boolean {
    return this.#taken !== undefined;
  }

  /** Resolves when nothing goes on in this process. */
  async idle(): Promise<void> {
    while (this.#taken !== undefined) await this.#taken;
  }

  /** Takes the turn, if no other process has it. Resolves with undefined when one has. */
  tryTake<T>(work: (steps: Steps) => Promise<T>): Promise<T | undefined> {
    return this.#alone(async () => {
      const lease = await Lease.tryAcquire(this.#store, this.#terms.orchestrator, this.#lease());
      return lease && this.#under(lease, 0, work);
    });
  }

  /**
   * Waits for the turn, as long as another process may need for a change.
   *
   * @param moreMs milliseconds that the work may take beyond what any change may
   * @throws FailoverRefusedError
   */
  async take<T>(signal: AbortSignal, moreMs: number, work: (steps: Steps) => Promise<T>): Promise<T> {
    while (this.#taken !== undefined) await abortable(this.#taken, signal);
    return this.#alone(async () => {
      const { clock } = this.#context;
      const late = () => new FailoverRefusedError('another process changes the order of the servers');
      const lease = await withDeadline({ timeoutMs: 2 * leaseMs, clock, signal, late }, stop =>
        Lease.acquire(this.#store, this.#terms.orchestrator, { ...this.#lease(), retryMs: 20, signal: stop }),
      );
      return this.#under(lease, moreMs, work);
    });
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const taken = work();
    this.#taken = taken.catch(() => {});
    try {
      return await taken;
    } finally {
      this.#taken = undefined;
    }
  }

  async #under<T>(lease: Lease, moreMs: number, work: (steps: Steps) => Promise<T>): Promise<T> {
    const { clock } = this.#context;
    const timeoutMs = 2 * this.#settings.recruitMs + moreMs;
    // A server that says nothing more must not keep the lease from those who could go on without it
    const late = () => new FailoverRefusedError(`a server did not answer within ${timeoutMs} ms`);
    try {
      await using steps = new Steps(this.#context, this.#terms, lease, this.#settings);
      return await withDeadline({ timeoutMs, clock, late }, () => work(steps));
    } finally {
      await lease.release().catch(() => {});
    }
  }

  #lease() {
    return { ttlMs: leaseMs, clock: this.#context.clock };
  }
}
