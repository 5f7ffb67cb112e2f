import type { Clock } from '@ashlar/core';

/** The time of one process, whose timers do not fire while it stands still. */
export class ProcessClock implements Clock {
  readonly #clock: Clock;
  #isPaused = false;
  #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal);
    if (this.#isPaused) await new Promise<void>(resolve => this.#waiting.push(resolve));
    signal?.throwIfAborted();
  }

  pause(): void {
    this.#isPaused = true;
  }

  go(): void {
    this.#isPaused = false;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
