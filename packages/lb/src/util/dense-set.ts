/** Keeps its index in a `DenseSet`; to be left alone by everything else. */
export interface DenseSetItem {
  index: number;
}

/**
 * A set for what is added and deleted all the time. Not a Set: such a one is copied again and again, and its discarded
 * tables, each of which refers to the next and to all that was in it, grow old before they are collected. For a balancer
 * that more than doubled the cost of a request.
 */
export class DenseSet<T extends DenseSetItem> implements Iterable<T> {
  readonly #items: T[] = [];

  add(item: T): void {
    item.index = this.#items.length;
    this.#items.push(item);
  }

  /** The item must be in it. */
  delete(item: T): void {
    const last = this.#items.pop()!;
    if (last === item) return;
    last.index = item.index;
    this.#items[item.index] = last;
  }

  /** Those of this moment, whatever is added or deleted meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    return [...this.#items][Symbol.iterator]();
  }
}
