/** One write of a key under way. */
export interface Turn {
  /** Another process changed the key meanwhile: what this write brings must not be kept here. */
  isFenced: boolean;
}

/** Lets the writes of each key come one after another, and finds the one under way. */
export class Turns {
  readonly #tails = new Map<unknown, Promise<unknown>>();
  readonly #current = new Map<unknown, Turn>();

  get size(): number {
    return this.#current.size;
  }

  /** Runs the work when those before it for this key have settled; at once when there are none. */
  take<T>(id: unknown, work: (turn: Turn) => Promise<T>): Promise<T> {
    const before = this.#tails.get(id);
    const run = () => this.#run(id, work);
    const result = before === undefined ? run() : before.then(run, run);
    this.#tails.set(id, result);
    const leave = () => {
      if (this.#tails.get(id) === result) this.#tails.delete(id);
    };
    result.then(leave, leave);
    return result;
  }

  fence(id: unknown): void {
    const turn = this.#current.get(id);
    if (turn !== undefined) turn.isFenced = true;
  }

  fenceAll(): void {
    for (const turn of this.#current.values()) turn.isFenced = true;
  }

  /** Resolves when every write that was begun has settled. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#tails.values());
  }

  async #run<T>(id: unknown, work: (turn: Turn) => Promise<T>): Promise<T> {
    const turn: Turn = { isFenced: false };
    this.#current.set(id, turn);
    try {
      return await work(turn);
    } finally {
      this.#current.delete(id);
    }
  }
}
