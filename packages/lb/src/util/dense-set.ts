/** Says where in `UnderWay` it is; of no concern to itself. */
export interface Placed {
  place: number;
}

/**
 * What is under way, for who must be able to end it. Not a Set: one that is added to and deleted from all the time is
 * copied again and again, and its discarded tables, each of which refers to the next and to all that was in it, grow old
 * before they are collected. For a balancer that more than doubled the cost of a request.
 */
export class UnderWay<T extends Placed> implements Iterable<T> {
  readonly #items: T[] = [];

  add(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** The item must be in it. */
  delete(item: T): void {
    const last = this.#items.pop()!;
    if (last === item) return;
    last.place = item.place;
    this.#items[item.place] = last;
  }

  /** Those of this moment, whatever is added or deleted meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    return [...this.#items][Symbol.iterator]();
  }
}
