/** Where an item stands in a line; at most one of a line is its last. */
export interface Place<T> {
  readonly item: T;
  /** The one behind it; of one that has left, the one that was behind it then. */
  readonly next: Place<T> | undefined;
}

interface Link<T> extends Place<T> {
  next: Link<T> | undefined;
  previous: Link<T> | undefined;
  inLine: boolean;
}

/** First come, first served, and anybody may leave: each step takes the same time however long the line is. */
export class Line<T> {
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #length = 0;

  get first(): Place<T> | undefined {
    return this.#first;
  }

  get length(): number {
    return this.#length;
  }

  join(item: T): Place<T> {
    const link: Link<T> = { item, next: undefined, previous: this.#last, inLine: true };
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    this.#length++;
    return link;
  }

  /** Returns whether it was still in the line. */
  leave(place: Place<T>): boolean {
    const link = place as Link<T>;
    if (!link.inLine) return false;
    link.inLine = false;
    if (link.previous === undefined) this.#first = link.next;
    else link.previous.next = link.next;
    if (link.next === undefined) this.#last = link.previous;
    else link.next.previous = link.previous;
    this.#length--;
    return true;
  }
}
