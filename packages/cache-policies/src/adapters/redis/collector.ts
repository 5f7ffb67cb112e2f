import type { Clock } from '@ashlar/core';

/** How long after one step the next may follow, over all sessions, in milliseconds. */
export const collectEveryMs = 50;

/** What a step of the collection says. */
export type Collected = 'more' | 'over' | 'elsewhere' | 'refused';

/**
 * Removes values that a clear, an invalidated tag or a lost history has made invalid, and that nobody reads any more. The
 * server keeps the place, so sessions take turns and go on where one has died: together a step in 50 ms.
 */
export class Collector {
  readonly #step: () => Promise<Collected>;
  readonly #clock: Clock;
  readonly #ending: AbortSignal;
  #isRunning = false;
  #isRefused = false;

  constructor(step: () => Promise<Collected>, clock: Clock, ending: AbortSignal) {
    this.#step = step;
    this.#clock = clock;
    this.#ending = ending;
  }

  /** There may be something to collect. */
  wake(): void {
    if (this.#isRunning || this.#isRefused) return;
    this.#isRunning = true;
    this.#run()
      .catch(() => {}) // the next check says whether there is more
      .finally(() => {
        this.#isRunning = false;
      });
  }

  async #run(): Promise<void> {
    for (let said: Collected = 'more'; said === 'more'; ) {
      said = await this.#step();
      // a user who may not SCAN
      if (said === 'refused') this.#isRefused = true;
      if (said === 'more') await this.#clock.sleep(collectEveryMs, this.#ending);
    }
  }
}
