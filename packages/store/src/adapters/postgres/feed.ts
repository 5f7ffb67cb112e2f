import { backgroundClock } from '@ashlar/core';
import { Listener, type ListenerOptions } from './listener.ts';

/** Between two attempts to listen. */
const againMs = 200;

/** Tells what changes in the table for as long as it is wanted, on one connection after the other. */
export class Feed {
  /** Resolves when the first attempt to listen has succeeded or failed. */
  readonly tried: Promise<void>;
  readonly #stop = new AbortController();
  #isTried = false;

  constructor(options: ListenerOptions) {
    this.tried = new Promise(resolve => {
      const tried = () => {
        this.#isTried = true;
        resolve();
      };
      this.#follow(options, tried).catch(() => {}); // it ends with the signal
    });
  }

  get isTried(): boolean {
    return this.#isTried;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #follow(options: ListenerOptions, tried: () => void): Promise<void> {
    const { signal } = this.#stop;
    for (let lost: string | undefined; !signal.aborted; ) {
      try {
        const listener = await Listener.begin(options);
        try {
          if (lost !== undefined && !signal.aborted) options.news.missed(lost);
          tried();
          await listener.follow(signal);
        } finally {
          listener.end();
        }
      } catch (error) {
        lost = error instanceof Error ? error.message : String(error);
      }
      tried();
      await backgroundClock.sleep(againMs, signal);
    }
  }
}
