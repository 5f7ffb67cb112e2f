import type { Clock } from '@ashlar/core';

/** How long each step of a change took, in whole milliseconds, in the order in which they ended. */
export class Stopwatch {
  readonly steps: Record<string, number> = {};
  readonly #clock: Clock;
  #at: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#at = clock.now();
  }

  /** What has passed since the step before is of this one. */
  lap(step: string): void {
    const now = this.#clock.now();
    this.steps[step] = Math.round(now - this.#at);
    this.#at = now;
  }
}
