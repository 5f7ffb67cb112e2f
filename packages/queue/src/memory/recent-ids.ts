/** The ids of the last publishes: at most so many, for at most so long. */
export class RecentIds {
  readonly #windowMs: number;
  readonly #max: number;
  /** Oldest first. */
  readonly #at = new Map<string, number>();

  constructor(windowMs: number, max: number) {
    this.#windowMs = windowMs;
    this.#max = max;
  }

  has(id: string, now: number): boolean {
    const at = this.#at.get(id);
    return at !== undefined && now - at < this.#windowMs;
  }

  add(id: string, now: number): void {
    this.#at.delete(id);
    this.#at.set(id, now);
    for (const [oldest, at] of this.#at) {
      if (this.#at.size <= this.#max && now - at < this.#windowMs) break;
      this.#at.delete(oldest);
    }
  }
}
