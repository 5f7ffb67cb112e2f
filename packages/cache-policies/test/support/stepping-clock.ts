import { backgroundClock, type Clock } from '@ashlar/core';

/** The machine's clock, which can jump ahead as it does for a process that was stopped. */
export class SteppingClock implements Clock {
  #aheadMs = 0;

  now(): number {
    return backgroundClock.now() + this.#aheadMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return backgroundClock.sleep(ms, signal);
  }

  jump(ms: number): void {
    this.#aheadMs += ms;
  }
}
