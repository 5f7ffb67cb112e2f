import { Backoff, type Clock } from '@ashlar/core';
import { IndexBusyError } from '../errors/statements.ts';
import { InDoubtError, UnsettledError } from '../errors/two-phase.ts';
import type { Shards } from '../queries/shards.ts';
import { Claiming } from './claiming.ts';
import { ClaimsRun, type Held, nameOf, Unclaimed } from './claims-run.ts';
import type { Indexes } from './index.ts';
import { Changed } from './notes.ts';

/** How often the work of a transaction is run for its claims, since others are about the same rows or values. */
const mostAttempts = 8;

/**
 * Claims for a transaction of the caller. While it is open nothing is claimed: where the entries are on its own shards, or it has the last connection,
 * that would wait for itself. So its work runs, shows what it needs, and is rolled back; that is claimed; and it runs again, with notes of
 * the claims. A transaction that needs none runs once.
 */
export class TransactionClaims<C> {
  readonly #shards: Shards<C>;
  readonly #clock: Clock;
  readonly #held: Held[] = [];
  #run = new ClaimsRun([]);

  /** @param shards those of the router, outside of the transaction */
  constructor(shards: Shards<C>, clock: Clock) {
    this.#shards = shards;
    this.#clock = clock;
  }

  /** The next run of the work. What the one before has done is undone. */
  begin(): ClaimsRun {
    this.#run = new ClaimsRun(this.#held);
    return this.#run;
  }

  /**
   * Runs a transaction, each run of whose work calls `begin`, until it has all claims and is committed.
   *
   * @throws DuplicateRowError, IndexBusyError, what the transaction fails with
   */
  async attempts<R>(transaction: () => Promise<R>, signal?: AbortSignal): Promise<R> {
    const pauses = new Backoff({ firstMs: 5, maxMs: 200 });
    for (let n = 1; ; n++) {
      try {
        const result = await transaction();
        await this.#finish();
        return result;
      } catch (error) {
        const failure = await this.#after(error);
        if (failure === undefined && n < mostAttempts) continue;
        const busy = failure ?? this.#busy();
        await this.#giveUp(this.#held.splice(0));
        if (!(busy instanceof IndexBusyError) || error === busy || n >= mostAttempts) throw busy;
      }
      await this.#clock.sleep(pauses.nextMs(), signal);
    }
  }

  /** What comes of a run that has failed. Returns what the call fails with: undefined when it has what the next run needs. */
  async #after(error: unknown): Promise<unknown> {
    if (this.#run.seal()) {
      await this.#doubt(error);
      return error;
    }
    if (error instanceof Changed) return this.#busy();
    if (!(error instanceof Unclaimed)) return error;
    try {
      await this.#claim();
      return undefined;
    } catch (failure) {
      return failure;
    }
  }

  /** Claims what the last run has missed, in the order of names: so of several that want the same, one gets all. */
  async #claim(): Promise<void> {
    const run = this.#run;
    const all = this.#held.splice(0);
    this.#held.push(...all.filter(each => run.has(each)));
    await this.#giveUp(all.filter(each => !run.has(each)));
    const named = run.missing.map(each => [nameOf(each), each] as const);
    for (const [, each] of named.sort(([a], [b]) => (a < b ? -1 : 1))) {
      const { index, value, row, former } = each;
      const claimed = await this.#claiming(each).claim(index, value, row, former);
      this.#held.push({ ...each, ...claimed });
    }
  }

  /** It is committed. What cannot be done now is done by a sweep. */
  async #finish(): Promise<void> {
    const run = this.#run;
    // First: who finds a live entry of a row that was moved, finds no other of it
    await Promise.all(run.removed.map(each => this.#claiming(each).releaseAll([each])));
    const used = this.#held.filter(each => run.has(each) && !each.isKept);
    await Promise.allSettled(used.map(each => this.#claiming(each).confirm(each)));
    await this.#giveUp(this.#held.filter(each => !run.has(each)));
  }

  /** It may be committed. Where nobody knows, a claim whose row is not there is void from then on. */
  async #doubt(error: unknown): Promise<void> {
    if ((error as { readonly outcome?: unknown }).outcome === 'NotExecuted') return;
    const held = this.#held.splice(0);
    // Its rows are locked until its verdict is known there: a sweep asks then
    if (error instanceof InDoubtError || error instanceof UnsettledError) return;
    const run = this.#run;
    const used = held.filter(each => run.has(each) && !each.isKept);
    await Promise.allSettled(used.map(each => this.#claiming(each).settle(each.index, each.entry)));
    await this.#giveUp(held.filter(each => !run.has(each)));
    const released = run.removed.map(async each => {
      const claiming = this.#claiming(each);
      if (!(await claiming.isNoted(each))) await claiming.releaseAll([each]);
    });
    await Promise.allSettled(released);
  }

  /** None of their rows is written with them, or will be. */
  async #giveUp(claims: readonly Held[]): Promise<void> {
    const own = claims.filter(each => !each.isKept);
    await Promise.allSettled(own.map(each => this.#claiming(each).giveUp(each.index, each.entry)));
  }

  #busy(): IndexBusyError {
    const { index } = this.#run.missing[0] ?? this.#held[0]!;
    return new IndexBusyError(index.table.name, index.name);
  }

  #claiming({ indexes }: { readonly indexes: Indexes }): Claiming<C> {
    return new Claiming(this.#shards, indexes);
  }
}
