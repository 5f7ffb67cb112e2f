import { setImmediate } from 'node:timers/promises';

/** How often a watch looks in the time that it allows. */
const looks = 4;

/**
 * Watches whether something goes on. A look costs nothing while the watch is stopped, and a stop and a start cost next to
 * nothing, so that it may stand for each chunk of a body.
 */
export class StallWatch {
  readonly #timeoutMs: number;
  readonly #state: (maxAgeMs: number) => Promise<string>;
  readonly #onStall: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isOn = false;
  #seen: string | undefined;
  /** How many looks in a row saw the same. They are counted, not timed: a look that comes late says nothing of the time before. */
  #same = 0;

  /**
   * @param timeoutMs how long the state may stay the same; a stall is noticed within a quarter more
   * @param state what changes as it goes on; an answer may be older by `maxAgeMs`
   */
  constructor(timeoutMs: number, state: (maxAgeMs: number) => Promise<string>, onStall: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#state = state;
    this.#onStall = onStall;
  }

  start(): void {
    this.#isOn = true;
    this.#seen = undefined;
    this.#timer ??= setTimeout(() => this.#look(), this.#timeoutMs / looks);
  }

  stop(): void {
    this.#isOn = false;
  }

  /** Stops, and leaves no timer. */
  end(): void {
    this.stop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    const timer = this.#timer;
    // Timers come before I/O: where the event loop stood still, what waits is read first
    await setImmediate();
    if (this.#isOn) {
      const state = await this.#state(this.#timeoutMs / looks / looks);
      if (this.#timer !== timer) return;
      if (!this.#isOn || state !== this.#seen) {
        this.#seen = this.#isOn ? state : undefined;
        this.#same = 0;
      } else if (++this.#same === looks) {
        this.end();
        this.#onStall();
        return;
      }
    }
    if (this.#timer !== timer) return;
    this.#timer = undefined;
    if (this.#isOn) this.#timer = setTimeout(() => this.#look(), this.#timeoutMs / looks);
  }
}
