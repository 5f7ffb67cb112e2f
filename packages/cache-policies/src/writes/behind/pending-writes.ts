/** A write on its way to the source. */
export interface PendingWrite<K, V> {
  readonly key: K;
  /** `undefined`: to be deleted. */
  readonly value: V | undefined;
  /**
   * Grows with every write of a key, also over a restart, unless the machine's clock steps back by more than the restart
   * takes. A source that compares it refuses late writes of an earlier process.
   */
  readonly sequence: number;
}

export interface AcceptedWrite<K, V> extends PendingWrite<K, V> {
  readonly id: unknown;
}

export interface WaitingWrite<K, V> extends AcceptedWrite<K, V> {
  readonly acceptedAt: number;
  /** It failed alone: from now on it goes in a batch of its own, so that it fails no other write. */
  goesAlone: boolean;
}

/** Accepted writes that the source has not taken: of each key, one that waits and one that is being written. */
export class PendingWrites<K, V> {
  readonly #waiting = new Map<unknown, WaitingWrite<K, V>>();
  readonly #writing = new Map<unknown, WaitingWrite<K, V>>();

  get size(): number {
    return this.#waiting.size + this.#writing.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** The oldest write that waits. */
  get oldest(): WaitingWrite<K, V> | undefined {
    return this.#waiting.values().next().value;
  }

  /** The lowest sequence of the writes that wait; `Infinity` when none does. */
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

  /** Replaces a write of the key that waits, and takes its place in the line. Returns whether there was one. */
  add({ id, key, value, sequence }: AcceptedWrite<K, V>, now: number): boolean {
    const replaced = this.#waiting.get(id);
    const { acceptedAt, goesAlone } = replaced ?? { acceptedAt: now, goesAlone: false };
    this.#waiting.set(id, { id, key, value, sequence, acceptedAt, goesAlone });
    return replaced !== undefined;
  }

  /** Moves a batch from the head of the line to the writes under way. */
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

  /** The source refused the batch: it goes to the end of the line. Returns how many of its writes newer ones supersede. */
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
