/**
 * When what arrives now may have been sent at the earliest. After the event loop stood still, a message may have waited in
 * the socket all the while, and its lease with it.
 */
export class LeaseStart {
  readonly #everyMs: number;
  readonly #timer: NodeJS.Timeout;
  #tickedAt: number = performance.now();

  constructor(leaseMs: number) {
    this.#everyMs = Math.max(5, leaseMs / 20);
    this.#timer = setInterval(() => {
      this.#tickedAt = performance.now();
    }, this.#everyMs);
    this.#timer.unref();
  }

  now(): number {
    const now = performance.now();
    return now - this.#tickedAt > 2 * this.#everyMs ? this.#tickedAt : now;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
