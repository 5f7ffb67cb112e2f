/** Where things come from that are handed out one by one. */
export interface Source<T> {
  /** The next of those that are there; undefined when it has to be waited for. */
  take(): T | undefined;
  /** Resolves when there may be some: false when there will be none any more. */
  more(): Promise<boolean>;
  /** Called once, whatever ends it. */
  leave(): Promise<void>;
}

/**
 * Hands out what a source has, one by one. A generator would do the same, and cost each of them several turns of the queue of
 * microtasks.
 */
export class OneByOne<T> implements AsyncIterableIterator<T, void, undefined> {
  readonly #open: () => Promise<Source<T> | undefined>;
  #source: Source<T> | undefined;
  #isOver = false;

  /** @param open called when the first is asked for; undefined when there is nothing to hand out */
  constructor(open: () => Promise<Source<T> | undefined>) {
    this.#open = open;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, void>> {
    const value = this.#source?.take();
    return value === undefined ? this.#next() : Promise.resolve({ done: false, value });
  }

  async return(): Promise<IteratorResult<T, void>> {
    await this.#end();
    return { done: true, value: undefined };
  }

  async #next(): Promise<IteratorResult<T, void>> {
    try {
      if (!this.#isOver) this.#source ??= await this.#open();
      while (this.#source !== undefined) {
        const value = this.#source.take();
        if (value !== undefined) return { done: false, value };
        if (!(await this.#source.more())) break;
      }
    } catch (error) {
      await this.#end();
      throw error;
    }
    return this.return();
  }

  async #end(): Promise<void> {
    this.#isOver = true;
    const source = this.#source;
    this.#source = undefined;
    await source?.leave();
  }
}
