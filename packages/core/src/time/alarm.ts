import type { Clock } from './clock.ts';

/** A timer whose time can be moved. It rings once, never early. */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #setting: AbortController | undefined;
  #at = Infinity;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** When it rings; `Infinity` while it is not set. */
  get at(): number {
    return this.#at;
  }

  /** Moves it to this time. */
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
