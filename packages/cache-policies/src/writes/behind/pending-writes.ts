/** A write that is to reach the source. */
export interface PendingWrite<K, V> {
  readonly key: K;
  /** `undefined`: to be deleted. */
  readonly value: V | undefined;
  /**
   * Grows with every write of a key, over restarts too while the machine's clock does not go back further than they last.
   * A source that compares it refuses what an earlier process sent and that arrives late.
   */
  readonly sequence: number;
}

export interface AcceptedWrite<K, V> extends PendingWrite<K, V> {
  readonly id: unknown;
}

export interface WaitingWrite<K, V> extends AcceptedWrite<K, V> {
  readonly acceptedAt: number;
  /** It failed without others: it goes alone from now on, so that it takes none with it. */
  goesAlone: boolean;
}

/** Accepted writes that the source has not taken: one a key that waits, and one a key that is being written. */
export class PendingWrites<K, V> {
  readonly #waiting = new Map<unknown, WaitingWrite<K, V>>();
  readonly #writing = new Map<unknown, WaitingWrite<K, V>>();

  get size(): number {
    return this.#waiting.size + this.#writing.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Of those that wait. */
  get oldest(): WaitingWrite<K, V> | undefined {
    return this.#waiting.values().next().value;
  }

  /** The lowest sequence of those that wait; `Infinity` when none does. */
  get lowestSequence(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { sequence } of this.#waiting.values()) lowest = Math.min(lowest, sequence);
    return lowest;
  }

  get(id: unknown): WaitingWrite<K, V> | undefined {
    return this.#waiting.get(id) ?? this.#writing.get(id);
  }

  isWaiting(id: unknown): boolean {
    return this.#waiting.has(id);
  }

  /** Replaces a write of the key that waits, whose place in the line it takes. Whether there was one. */
  add({ id, key, value, sequence }: AcceptedWrite<K, V>, now: number): boolean {
    const replaced = this.#waiting.get(id);
    const { acceptedAt, goesAlone } = replaced ?? { acceptedAt: now, goesAlone: false };
    this.#waiting.set(id, { id, key, value, sequence, acceptedAt, goesAlone });
    return replaced !== undefined;
  }

  /** Takes a batch from the head of the line, to be written. */
  take(most: number): readonly WaitingWrite<K, V>[] {
    const [first] = this.#waiting.values();
    for (const write of this.#waiting.values()) {
      if (this.#writing.size >= (first!.goesAlone ? 1 : most)) break;
      if (write.goesAlone && write !== first) continue;
      this.#writing.set(write.id, write);
    }
    for (const id of this.#writing.keys()) this.#waiting.delete(id);
    return [...this.#writing.values()];
  }

  /** The source has the batch. */
  taken(): void {
    this.#writing.clear();
  }

  /** The source refused the batch: it goes to the end of the line. How many of it are superseded by newer writes. */
  putBack(): number {
    let superseded = 0;
    for (const write of this.#writing.values()) {
      if (this.#waiting.has(write.id)) superseded++;
      else this.#waiting.set(write.id, write);
    }
    this.#writing.clear();
    return superseded;
  }

  *[Symbol.iterator](): IterableIterator<WaitingWrite<K, V>> {
    yield* this.#writing.values();
    yield* this.#waiting.values();
  }
}
