/**
 * Bounds what is asked more than once, so that a failing service is not asked many times over: in any ten seconds extra
 * attempts to at most so many percent of the requests, and a fixed number a second on top, that a quiet service has some
 * too (after Finagle's RetryBudget). Counts by the second, in whole seconds of the clock.
 */
export class Budget {
  readonly #percent: number;
  readonly #perSecond: number;
  readonly #requests: number[] = new Array<number>(windowSeconds).fill(0);
  readonly #extra: number[] = new Array<number>(windowSeconds).fill(0);
  #requestsInWindow = 0;
  #extraInWindow = 0;
  #second = 0;

  constructor(percent: number, perSecond: number) {
    this.#percent = percent;
    this.#perSecond = perSecond;
  }

  /** A request came; told once for each, not for its further attempts. */
  request(now: number): void {
    this.#moveTo(now);
    this.#requests[this.#second % windowSeconds]!++;
    this.#requestsInWindow++;
  }

  allows(now: number): boolean {
    this.#moveTo(now);
    const allowed = (this.#requestsInWindow * this.#percent) / 100 + this.#perSecond * windowSeconds;
    return this.#extraInWindow + 1 <= allowed;
  }

  spend(now: number): void {
    this.#moveTo(now);
    this.#extra[this.#second % windowSeconds]!++;
    this.#extraInWindow++;
  }

  /** Empties the seconds that have passed since the last call. */
  #moveTo(now: number): void {
    const second = Math.floor(now / 1000);
    const passed = Math.min(second - this.#second, windowSeconds);
    for (let step = 1; step <= passed; step++) {
      const slot = (second - passed + step) % windowSeconds;
      this.#requestsInWindow -= this.#requests[slot]!;
      this.#extraInWindow -= this.#extra[slot]!;
      this.#requests[slot] = 0;
      this.#extra[slot] = 0;
    }
    if (passed > 0) this.#second = second;
  }
}

const windowSeconds = 10;
