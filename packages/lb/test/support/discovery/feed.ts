/** A discovery that a test drives. `give`, `fail` and `end` return when what they bring about has happened. */
export class Feed<E> implements AsyncIterable<readonly E[]>, AsyncIterator<readonly E[]> {
  returned = 0;
  #waiting: { resolve(item: IteratorResult<readonly E[]>): void; reject(error: unknown): void } | undefined;

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<readonly E[]>> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  return(): Promise<IteratorResult<readonly E[]>> {
    this.returned++;
    return Promise.resolve({ done: true, value: undefined });
  }

  give(value: readonly E[]): Promise<void> {
    this.#waiting?.resolve({ done: false, value });
    return settled();
  }

  fail(error: unknown): Promise<void> {
    this.#waiting?.reject(error);
    return settled();
  }

  end(): Promise<void> {
    this.#waiting?.resolve({ done: true, value: undefined });
    return settled();
  }
}

/** A turn of the event loop comes after all microtasks. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
