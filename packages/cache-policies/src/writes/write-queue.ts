import { untilAbort, withEither } from '../waits.ts';

/** One write of a key under way. */
export interface QueuedWrite {
  /** Another process changed the key meanwhile: this process must not keep the value of this write. */
  isFenced: boolean;
}

/** Makes the writes of each key one after another, and marks the one under way when the key changes elsewhere. */
export class WriteQueue {
  /** Of each key, when all of its writes have settled. Never reject. */
  readonly #tails = new Map<unknown, Promise<unknown>>();
  readonly #current = new Map<unknown, QueuedWrite>();
  readonly #ending: AbortSignal;

  /** @param ending ends the wait of every write whose turn has not come */
  constructor(ending: AbortSignal) {
    this.#ending = ending;
  }

  /** How many writes are under way. */
  get size(): number {
    return this.#current.size;
  }

  /**
   * Runs the work when earlier writes of this key have settled; at once when there are none. A write that leaves the line,
   * with the reason of its signal, lets none that follows overtake those before.
   */
  run<T>(id: unknown, work: (write: QueuedWrite) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const before = this.#tails.get(id);
    const result = before === undefined ? this.#run(id, work) : this.#later(before, id, work, signal);
    const tail = Promise.allSettled([before, result]);
    this.#tails.set(id, tail);
    void tail.then(() => {
      if (this.#tails.get(id) === tail) this.#tails.delete(id);
    });
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

  async #later<T>(
    before: Promise<unknown>,
    id: unknown,
    work: (write: QueuedWrite) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    await withEither(signal, this.#ending, either => untilAbort(before, either));
    return this.#run(id, work);
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
