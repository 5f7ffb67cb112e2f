import type { Clock } from '@ashlar/core';
import type { Running } from './context.ts';

export interface BatchOptions {
  /** The most messages that one call of the handler gets. */
  readonly size: number;
  /** Milliseconds that the first of them waits for others. Default: 20. */
  readonly waitMs?: number;
}

/** Gathers messages until there are enough, or the first has waited long enough. */
export class Gathering {
  readonly #clock: Clock;
  readonly #size: number;
  readonly #waitMs: number;
  readonly #full: (batch: readonly Running[]) => void;
  #waiting: Running[] = [];
  #timer: AbortController | undefined;

  constructor(clock: Clock, { size, waitMs = 20 }: BatchOptions, full: (batch: readonly Running[]) => void) {
    this.#clock = clock;
    this.#size = size;
    this.#waitMs = waitMs;
    this.#full = full;
  }

  add(running: Running): void {
    this.#waiting.push(running);
    if (this.#waiting.length >= this.#size) this.flush();
    else if (this.#waiting.length === 1) this.#start();
  }

  /** Hands on what there is. */
  flush(): void {
    this.#timer?.abort();
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length > 0) this.#full(batch);
  }

  #start(): void {
    this.#timer = new AbortController();
    this.#clock.sleep(this.#waitMs, this.#timer.signal).then(
      () => this.flush(),
      () => {},
    );
  }
}
