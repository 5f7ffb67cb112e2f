import type { Clock } from '@ashlar/core';

/** Rings once at a time that can be moved, never before it. */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #setting: AbortController | undefined;
  #at = Infinity;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** When it rings; `Infinity` when it does not. */
  get at(): number {
    return this.#at;
  }

  /** Rings then, and no longer at the time it was set to before. */
  set(at: number): void {
    if (at === this.#at) return;
    this.#setting?.abort();
    this.#at = at;
    this.#setting = undefined;
    if (at === Infinity) return;
    const setting = new AbortController();
    this.#setting = setting;
    this.#clock.sleep(Math.max(0, at - this.#clock.now()), setting.signal).then(
      () => {
        if (this.#setting !== setting) return;
        this.#at = Infinity;
        this.#setting = undefined;
        this.#ring();
      },
      () => {},
    );
  }

  clear(): void {
    this.set(Infinity);
  }
}
