/** First in, first out, within each priority; the highest priority first. */
export class PriorityFifo<T> {
  readonly #queues: Fifo<T>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T, priority: number): void {
    this.#at(priority).push(item);
    this.#size++;
  }

  /** Puts the item before all others of its priority. */
  unshift(item: T, priority: number): void {
    this.#at(priority).unshift(item);
    this.#size++;
  }

  peek(): T | undefined {
    return this.#first()?.peek();
  }

  shift(): T | undefined {
    const queue = this.#first();
    if (queue === undefined) return undefined;
    this.#size--;
    return queue.shift();
  }

  /** Keeps the items that pass. */
  filter(keep: (item: T) => boolean): void {
    this.#size = 0;
    for (const queue of this.#queues) {
      queue.filter(keep);
      this.#size += queue.size;
    }
  }

  *[Symbol.iterator](): Generator<T> {
    for (let priority = this.#queues.length - 1; priority >= 0; priority--) {
      yield* this.#queues[priority] ?? [];
    }
  }

  #at(priority: number): Fifo<T> {
    while (this.#queues.length <= priority) this.#queues.push(new Fifo());
    return this.#queues[priority]!;
  }

  #first(): Fifo<T> | undefined {
    for (let priority = this.#queues.length - 1; priority >= 0; priority--) {
      if (this.#queues[priority]!.size > 0) return this.#queues[priority];
    }
    return undefined;
  }
}

class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  unshift(item: T): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    // What was taken is dropped in halves, so that each item is moved once on average
    if (this.#head >= 64 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  filter(keep: (item: T) => boolean): void {
    this.#items = [...this].filter(keep);
    this.#head = 0;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let at = this.#head; at < this.#items.length; at++) yield this.#items[at]!;
  }
}
