/** One write of a key under way. */
export interface QueuedWrite {
  /** Another process changed the key meanwhile: this process must not keep the value of this write. */
  isFenced: boolean;
}

/** Makes the writes of each key one after another, and marks the one under way when the key changes elsewhere. */
export class WriteQueue {
  readonly #tails = new Map<unknown, Promise<unknown>>();
  readonly #current = new Map<unknown, QueuedWrite>();

  /** How many writes are under way. */
  get size(): number {
    return this.#current.size;
  }

  /** Runs the work when earlier writes of this key have settled; at once when there are none. */
  run<T>(id: unknown, work: (write: QueuedWrite) => Promise<T>): Promise<T> {
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
    const write = this.#current.get(id);
    if (write !== undefined) write.isFenced = true;
  }

  fenceAll(): void {
    for (const write of this.#current.values()) write.isFenced = true;
  }

  /** Resolves when every write that was begun has settled. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#tails.values());
  }

  async #run<T>(id: unknown, work: (write: QueuedWrite) => Promise<T>): Promise<T> {
    const write: QueuedWrite = { isFenced: false };
    this.#current.set(id, write);
    try {
      return await work(write);
    } finally {
      this.#current.delete(id);
    }
  }
}
