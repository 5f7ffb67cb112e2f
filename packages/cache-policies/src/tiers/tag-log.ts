/**
 * The number of the change that last invalidated each tag. Tags that were forgotten to stay within the bound count as
 * invalidated by the latest forgotten change: an entry may be invalidated too soon, never too late.
 */
export class TagLog {
  readonly #max: number;
  readonly #changes = new Map<string, number>();
  #forgotten = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#changes.size;
  }

  invalidate(tag: string, change: number): void {
    this.#changes.delete(tag);
    this.#changes.set(tag, change);
    if (this.#changes.size <= this.#max) return;
    const [oldest, forgotten] = this.#changes.entries().next().value as [string, number];
    this.#changes.delete(oldest);
    this.#forgotten = Math.max(this.#forgotten, forgotten);
  }

  /** Whether none of the tags was invalidated after that change. */
  unchanged(tags: readonly string[], since: number): boolean {
    for (const tag of tags) if ((this.#changes.get(tag) ?? this.#forgotten) > since) return false;
    return true;
  }

  clear(): void {
    this.#changes.clear();
    this.#forgotten = 0;
  }
}
