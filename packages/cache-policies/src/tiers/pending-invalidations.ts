import { Backoff, type Clock, type Random } from '@ashlar/core';
import type { TierSession } from './remote-tier.ts';

const pauses = { firstMs: 100, maxMs: 5_000 };
const maxNames = 10_000;

/** What is to be invalidated. */
export type Invalidation =
  | { readonly keys: readonly string[] }
  | { readonly tags: readonly string[] }
  | 'everything';

type Invalidating = Pick<TierSession, 'invalidate' | 'invalidateTags' | 'clear'>;

export interface PendingInvalidationsOptions {
  readonly tier: Invalidating;
  readonly clock: Clock;
  readonly random: Random;
  /** The tier has taken all of them. */
  done(): void;
}

/**
 * Invalidations that the tier did not take, which are retried until it takes them. Until then their keys are not read from
 * the tier, and none while tags are among them: which keys have those is not known. More than 10 000 keys and tags become
 * one clear.
 */
export class PendingInvalidations {
  readonly #options: PendingInvalidationsOptions;
  /** Each with the number of the last invalidation that was added for it. */
  readonly #keys = new Map<string, number>();
  readonly #tags = new Map<string, number>();
  #all = 0;
  #added = 0;
  #wake = new AbortController();
  #isRetrying = false;
  #isClosed = false;
  #sending: Promise<void> | undefined;

  constructor(options: PendingInvalidationsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#all > 0 ? Number.POSITIVE_INFINITY : this.#keys.size + this.#tags.size;
  }

  has(key: string): boolean {
    return this.#all > 0 || this.#tags.size > 0 || this.#keys.has(key);
  }

  add(invalidation: Invalidation): void {
    const number = ++this.#added;
    if (invalidation !== 'everything') {
      const [names, into] =
        'keys' in invalidation ? [invalidation.keys, this.#keys] : [invalidation.tags, this.#tags];
      for (const name of names) into.set(name, number);
    }
    if (invalidation === 'everything' || this.size > maxNames) {
      this.#all = number;
      this.#keys.clear();
      this.#tags.clear();
    }
    if (!this.#isRetrying && !this.#isClosed) void this.#retry();
  }

  /** The tier may be back: retries now. */
  retryNow(): void {
    this.#wake.abort();
  }

  /** Ends the retries with a last one, at once, unless the tier takes all meanwhile. Resolves when it is over; never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake.abort();
    await this.#sending;
    if (this.size === 0) return;
    await this.#send().catch(() => {});
    if (this.size === 0) this.#options.done();
  }

  async #retry(): Promise<void> {
    const { clock, random, done } = this.#options;
    const backoff = new Backoff(pauses, random);
    this.#isRetrying = true;
    while (this.size > 0 && !this.#isClosed) {
      this.#wake = new AbortController();
      await clock.sleep(backoff.nextMs(), this.#wake.signal).catch(() => {});
      if (this.#isClosed) return;
      this.#sending = this.#send().catch(() => {});
      await this.#sending;
    }
    // at once, so that what is added from now on is retried too
    this.#isRetrying = false;
    if (this.size === 0) done();
  }

  /** What is added meanwhile stays. */
  async #send(): Promise<void> {
    const { tier } = this.#options;
    const [all, tags, keys] = [this.#all, [...this.#tags], [...this.#keys]];
    if (all > 0) await tier.clear();
    if (this.#all === all) this.#all = 0;
    if (tags.length > 0) await tier.invalidateTags(tags.map(([tag]) => tag));
    forget(this.#tags, tags);
    if (keys.length > 0) await tier.invalidate(keys.map(([key]) => key));
    forget(this.#keys, keys);
  }
}

function forget(names: Map<string, number>, sent: readonly (readonly [string, number])[]): void {
  for (const [name, number] of sent) if (names.get(name) === number) names.delete(name);
}
