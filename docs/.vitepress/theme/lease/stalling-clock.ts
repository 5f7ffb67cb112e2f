import type { Clock } from '@ashlar/core';

/** The clock of a process that can be made to stand still, as by SIGSTOP: what it slept for goes on when it is resumed, late. */
export class StallingClock implements Clock {
  readonly #machine: Clock;
  #resumed: Promise<void> | undefined;
  #resume = (): void => {};

  constructor(machine: Clock) {
    this.#machine = machine;
  }

  get isStalled(): boolean {
    return this.#resumed !== undefined;
  }

  now(): number {
    return this.#machine.now();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#machine.sleep(ms, signal);
    while (this.#resumed !== undefined) await this.#resumed;
    signal?.throwIfAborted();
  }

  stall(): void {
    this.#resumed ??= new Promise(resolve => {
      this.#resume = resolve;
    });
  }

  resume(): void {
    this.#resumed = undefined;
    this.#resume();
  }
}
