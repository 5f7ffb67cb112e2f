/** An item in a queue. */
export interface Entry<T> {
  readonly item: T;
  /** The one behind it; none of a removed entry, which would keep all later ones in memory for as long as it is kept itself. */
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

  has(entry: Entry<T>): boolean {
    return (entry as Link<T>).isQueued;
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
    link.next = undefined;
    link.previous = undefined;
    this.#length--;
    return true;
  }
}
