import { type Clock, onAbort } from '@ashlar/core';
import type { Store } from '@ashlar/store';
import { channels } from './diagnostics.ts';
import type { Settled } from './two-phase/recovery.ts';

/** Where a sweep could not do what it was to do. */
export interface SweepFailure {
  /** Empty where it was not one shard's failure. */
  readonly shard: string;
  readonly error: unknown;
}

/** One kind of what others have left. A part that has begun ends by itself, or with the signal. */
export type SweepPart = (signal: AbortSignal) => Promise<{
  readonly settled?: readonly Settled[];
  readonly failed: readonly SweepFailure[];
}>;

export interface SweeperOptions {
  readonly router: string;
  readonly store: Store;
  /** Of the claim that one of all routers has. */
  readonly claim: string;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly parts: readonly SweepPart[];
}

/** Looks from time to time for what processes that have died have left undone: of all routers of a map, one at a time. */
export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #holder = crypto.randomUUID();
  readonly #end = new AbortController();
  readonly #done: Promise<void>;
  #token: bigint | undefined;
  #failed: readonly SweepFailure[] = [];

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** What its last sweep could not do. */
  get failed(): readonly SweepFailure[] {
    return this.#failed;
  }

  async close(): Promise<void> {
    this.#end.abort(new Error('the sweeper is closed'));
    await this.#done;
    const { store, claim } = this.#options;
    // Or the next one waits until it ends by itself
    if (this.#token !== undefined) await store.release(claim, this.#token).catch(() => {});
  }

  async #run(): Promise<void> {
    const { everyMs, clock } = this.#options;
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        this.#token = await this.#claimed();
        if (this.#token === undefined) this.#failed = [];
        else if (!signal.aborted) await this.#sweep();
      } catch {
        // The store does not answer: the next time, or the next router
      }
      await clock.sleep(everyMs, signal).catch(() => {});
    }
  }

  async #claimed(): Promise<bigint | undefined> {
    const { store, claim, everyMs } = this.#options;
    return (await store.claim(claim, this.#holder, 3 * everyMs))?.token;
  }

  /** What one part fails with keeps no other from its turn. */
  async #sweep(): Promise<void> {
    const over = new AbortController();
    const unlink = onAbort(this.#end.signal, reason => over.abort(reason));
    const renewing = this.#renew(over);
    const settled: Settled[] = [];
    const failed: SweepFailure[] = [];
    for (const part of this.#options.parts) {
      if (over.signal.aborted) break;
      try {
        const done = await part(over.signal);
        settled.push(...(done.settled ?? []));
        failed.push(...done.failed);
      } catch (error) {
        if (!over.signal.aborted) failed.push({ shard: '', error });
      }
    }
    unlink();
    over.abort();
    await renewing;
    this.#failed = failed;
    if (settled.length + failed.length === 0 || !channels.sweep.hasSubscribers) return;
    channels.sweep.publish({ router: this.#options.router, settled, failed });
  }

  /** A sweep may take longer than its claim lasts. Ends it when another router has that. */
  async #renew(over: AbortController): Promise<void> {
    const { clock, everyMs } = this.#options;
    for (;;) {
      await clock.sleep(everyMs, over.signal).catch(() => {});
      if (over.signal.aborted) return;
      try {
        const token = await this.#claimed();
        if (token === undefined) return over.abort(new Error('another router sweeps'));
        this.#token = token;
      } catch {
        // The store does not answer: the claim lasts for a while
      }
    }
  }
}
