interface Known {
  readonly hash: number;
  readonly weight: number;
}

/** The keys of the sample that are there, so that a hit need not hash its key; integers are hashed sooner than found. */
export class Watched<K> {
  readonly #known = new Map<K, Known>();
  readonly #unweighed: boolean;
  #most = 64;

  constructor(unweighed: boolean) {
    this.#unweighed = unweighed;
  }

  /** Whether its hash is quicker to get, and all there is to know. */
  byHash(key: K): boolean {
    return this.#unweighed && typeof key === 'number';
  }

  get(key: K): Known | undefined {
    return this.#known.get(key);
  }

  /** Now and then forgets those that `there` has no more. */
  add(key: K, known: Known, there: { has(key: K): boolean }): void {
    this.#known.set(key, known);
    if (this.#known.size < this.#most) return;
    for (const other of this.#known.keys()) if (!there.has(other)) this.#known.delete(other);
    this.#most = Math.max(64, 2 * this.#known.size);
  }

  clear(): void {
    this.#known.clear();
  }
}
