/** An item in a queue. */
export interface Entry<T> {
  readonly item: T;
  /** The one behind it; of a removed entry, the one behind it at its removal. */
  readonly next: Entry<T> | undefined;
}

interface Link<T> extends Entry<T> {
  next: Link<T> | undefined;
  previous: Link<T> | undefined;
  isQueued: boolean;
}

/** A first-in, first-out queue with removal of any entry: each operation takes constant time. */
export class LinkedQueue<T> {
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #length = 0;

  get first(): Entry<T> | undefined {
    return this.#first;
  }

  get length(): number {
    return this.#length;
  }

  push(item: T): Entry<T> {
    const link: Link<T> = { item, next: undefined, previous: this.#last, isQueued: true };
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    this.#length++;
    return link;
  }

  /** Returns whether it was still in the queue. */
  remove(entry: Entry<T>): boolean {
    const link = entry as Link<T>;
    if (!link.isQueued) return false;
    link.isQueued = false;
    if (link.previous === undefined) this.#first = link.next;
    else link.previous.next = link.next;
    if (link.next === undefined) this.#last = link.previous;
    else link.next.previous = link.previous;
    this.#length--;
    return true;
  }
}
