/**
 * The ids of the last publishes, in two generations: each is kept for a window at least, and for two at most, unless more
 * than the maximum have come since. One map in the order of insertion would do, but to delete its oldest entry takes a walk
 * over those that were deleted before.
 */
export class RecentIds {
  readonly #windowMs: number;
  readonly #max: number;
  #current = new Set<string>();
  #previous = new Set<string>();
  #turnsAt = -Infinity;

  constructor(windowMs: number, max: number) {
    this.#windowMs = windowMs;
    this.#max = max;
  }

  /** Whether it is new. */
  add(id: string, now: number): boolean {
    if (now >= this.#turnsAt || this.#current.size >= this.#max) this.#turn(now);
    if (this.#previous.has(id)) return false;
    const { size } = this.#current;
    // One walk through a large set instead of two
    return this.#current.add(id).size > size;
  }

  delete(id: string): void {
    this.#current.delete(id);
    this.#previous.delete(id);
  }

  *all(): Generator<string> {
    yield* this.#previous;
    yield* this.#current;
  }

  #turn(now: number): void {
    // After a long silence, the current ones are too old as well
    this.#previous = now >= this.#turnsAt + this.#windowMs ? new Set() : this.#current;
    this.#current = new Set();
    this.#turnsAt = now + this.#windowMs;
  }
}
