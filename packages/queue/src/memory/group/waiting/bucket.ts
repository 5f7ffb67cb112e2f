import type { Rate } from '../../../driver.ts';

/** A token bucket that holds `count` tokens and refills evenly over `perMs`: bursts of `count`, that rate on average. */
export class Bucket {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  /** When every token is back; the only state (the virtual scheduling of GCRA, ITU-T I.371). */
  #fullAt = -Infinity;

  constructor({ count, perMs }: Rate) {
    this.#intervalMs = perMs / count;
    this.#burstMs = perMs - this.#intervalMs;
  }

  /** When the next token is there: now or earlier when one is. */
  get availableAt(): number {
    return this.#fullAt - this.#burstMs;
  }

  isFull(now: number): boolean {
    return this.#fullAt <= now;
  }

  take(now: number): void {
    this.#fullAt = Math.max(this.#fullAt, now) + this.#intervalMs;
  }
}
