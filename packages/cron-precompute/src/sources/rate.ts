import type { Clock } from '@ashlar/core';

/** At most so many a second, one after the other: a budget for what a source may ask of a database. */
export class Rate {
  readonly #gapMs: number;
  readonly #clock: Clock;
  #next = 0;

  constructor(perSecond: number, clock: Clock) {
    this.#gapMs = 1_000 / perSecond;
    this.#clock = clock;
  }

  /** Resolves when it is this caller's turn. Time that nobody used is not made up for. */
  async turn(signal: AbortSignal): Promise<void> {
    if (this.#gapMs === 0) return;
    const now = this.#clock.now();
    const at = Math.max(now, this.#next);
    this.#next = at + this.#gapMs;
    if (at > now) await this.#clock.sleep(at - now, signal);
  }
}
