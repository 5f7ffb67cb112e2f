import { Backoff, type Clock, type Random } from '@ashlar/core';
import type { TierSession } from './remote-tier.ts';

const pauses = { firstMs: 100, maxMs: 5_000 };
const maxKeys = 10_000;

/**
 * Failed invalidations, which are retried until they succeed. Until then their keys are not read from the tier. More than
 * 10 000 keys become one clear.
 */
export class PendingInvalidations {
  readonly #tier: Pick<TierSession, 'invalidate' | 'clear'>;
  readonly #clock: Clock;
  readonly #random: Random;
  /** The keys, each with the number of its last failure. */
  readonly #keys = new Map<string, number>();
  #all = 0;
  #failures = 0;
  #wake = new AbortController();
  #isRetrying = false;
  #isClosed = false;

  constructor(tier: Pick<TierSession, 'invalidate' | 'clear'>, clock: Clock, random: Random) {
    this.#tier = tier;
    this.#clock = clock;
    this.#random = random;
  }

  get size(): number {
    return this.#all > 0 ? Number.POSITIVE_INFINITY : this.#keys.size;
  }

  has(key: string): boolean {
    return this.#all > 0 || this.#keys.has(key);
  }

  add(keys: Iterable<string>): void {
    this.#failures++;
    for (const key of keys) this.#keys.set(key, this.#failures);
    if (this.#keys.size > maxKeys) this.addAll();
    else this.#start();
  }

  addAll(): void {
    this.#all = ++this.#failures;
    this.#keys.clear();
    this.#start();
  }

  /** The tier may be back: retries now. */
  retryNow(): void {
    this.#wake.abort();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake.abort();
  }

  #start(): void {
    if (this.#isRetrying || this.#isClosed) return;
    this.#isRetrying = true;
    this.#retry().finally(() => {
      this.#isRetrying = false;
    });
  }

  async #retry(): Promise<void> {
    const backoff = new Backoff(pauses, this.#random);
    while (this.size > 0) {
      this.#wake = new AbortController();
      await this.#clock.sleep(backoff.nextMs(), this.#wake.signal).catch(() => {});
      if (this.#isClosed) return;
      const [all, keys] = [this.#all, [...this.#keys]];
      try {
        if (all > 0) await this.#tier.clear();
        else await this.#tier.invalidate(keys.map(([key]) => key));
      } catch {
        continue;
      }
      if (this.#all === all) this.#all = 0;
      for (const [key, failure] of keys) if (this.#keys.get(key) === failure) this.#keys.delete(key);
    }
  }
}
