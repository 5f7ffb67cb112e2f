/**
 * When each tag was last invalidated, in numbers of changes. What is forgotten to stay within the bound counts as
 * invalidated when the last forgotten one was: an entry may go too soon, never too late.
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
