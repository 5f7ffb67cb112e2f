import { type CallOutcome, sleep } from '@ashlar/core';
import { Session } from '@ashlar/replica-failover';
import type { Shop } from '../clusters/cluster.ts';

/** What has become of a call, for who draws it. */
export type Call = 'write' | 'unknown' | 'failed' | 'read';

const pauseMs = 15;

/** One after the other: orders, and beside them reads of the latest that was acknowledged. Goes on until it is disposed of. */
export class Traffic implements AsyncDisposable {
  readonly acknowledged: Set<number> = new Set<number>();
  readonly unknown: Set<number> = new Set<number>();
  /** Orders of which the set has said that nothing was executed. */
  readonly notExecuted: Set<number> = new Set<number>();
  /** Reads with the session of the orders that did not see the latest. */
  broken = 0;
  /** Reads that may be old, and were. */
  old = 0;
  failedReads = 0;
  /** The longest time from an acknowledgment to the next, in milliseconds. */
  longestGapMs = 0;
  readonly #shop: Shop;
  readonly #onCall: (call: Call) => void;
  readonly #ending = new AbortController();
  readonly #session = new Session();
  readonly #running: Promise<unknown>;
  #latest = 0;
  #latestAt = performance.now();

  constructor(shop: Shop, onCall: (call: Call) => void) {
    this.#shop = shop;
    this.#onCall = onCall;
    const ownReads = this.#read(async (order, signal) => {
      if (!(await shop.has(order, { session: this.#session, signal }))) this.broken++;
    });
    const oldReads = this.#read(async (order, signal) => {
      if (!(await shop.has(order, { consistency: 'eventual', signal }))) this.old++;
    });
    this.#running = Promise.all([this.#write(), ownReads, oldReads]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error('the traffic ends'));
    await this.#running;
  }

  async #write(): Promise<void> {
    const { signal } = this.#ending;
    for (let order = 1; !signal.aborted; order++) {
      try {
        await this.#shop.take(order, { session: this.#session, signal });
        this.#acknowledge(order);
      } catch (error) {
        if (signal.aborted) return;
        this.#note(order, (error as { outcome?: CallOutcome }).outcome);
      }
      await sleep(pauseMs, signal).catch(() => {});
    }
  }

  #acknowledge(order: number): void {
    const now = performance.now();
    this.longestGapMs = Math.max(this.longestGapMs, now - this.#latestAt);
    this.#latestAt = now;
    this.#latest = order;
    this.acknowledged.add(order);
    this.#onCall('write');
  }

  #note(order: number, outcome: CallOutcome | undefined): void {
    const isSure = outcome === 'NotExecuted';
    (isSure ? this.notExecuted : this.unknown).add(order);
    this.#onCall(isSure ? 'failed' : 'unknown');
  }

  async #read(look: (order: number, signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        if (this.#latest > 0) {
          await look(this.#latest, signal);
          this.#onCall('read');
        }
      } catch {
        if (!signal.aborted) this.failedReads++;
      }
      await sleep(pauseMs, signal).catch(() => {});
    }
  }
}
