export interface BatchLimits<T> {
  /** The most items of a batch. */
  readonly most: number;
  /** The most bytes of a batch, by `bytesOf`; a longer item goes alone. */
  readonly mostBytes: number;
  /** The most batches under way. */
  readonly atOnce: number;
  bytesOf(item: T): number;
  /** Whether an item may go in the batch of the first one. */
  fits(first: T, item: T): boolean;
}

interface Waiting<T, R> {
  readonly item: T;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/**
 * Sends single items in batches: those of one step together, and while as many batches are under way as may be, those that
 * come meanwhile. So neither many callers nor one with many keys flood a server, and a lone item waits for nothing. A batch
 * that fails takes along what waits behind it, which would only fail later.
 */
export class Batches<T, R> {
  readonly #send: (items: readonly T[]) => Promise<readonly R[]>;
  readonly #limits: BatchLimits<T>;
  #waiting: Waiting<T, R>[] = [];
  #underWay = 0;
  #isPlanned = false;

  /** @param send returns one result for each item */
  constructor(send: (items: readonly T[]) => Promise<readonly R[]>, limits: BatchLimits<T>) {
    this.#send = send;
    this.#limits = limits;
  }

  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#isPlanned) return;
      this.#isPlanned = true;
      queueMicrotask(() => {
        this.#isPlanned = false;
        this.#start();
      });
    });
  }

  #start(): void {
    let from = 0;
    while (this.#underWay < this.#limits.atOnce && from < this.#waiting.length) {
      const to = this.#endOf(from);
      void this.#run(this.#waiting.slice(from, to));
      from = to;
    }
    if (from > 0) this.#waiting = this.#waiting.slice(from);
  }

  /** Where the batch ends that begins there. */
  #endOf(from: number): number {
    const { most, mostBytes, bytesOf, fits } = this.#limits;
    const first = this.#waiting[from]!.item;
    let bytes = 0;
    let to = from;
    for (; to < this.#waiting.length && to - from < most; to++) {
      const { item } = this.#waiting[to]!;
      bytes += bytesOf(item);
      if (to > from && (bytes > mostBytes || !fits(first, item))) break;
    }
    return to;
  }

  async #run(batch: readonly Waiting<T, R>[]): Promise<void> {
    this.#underWay++;
    try {
      const results = await this.#send(batch.map(({ item }) => item));
      for (const [i, { resolve }] of batch.entries()) resolve(results[i]!);
    } catch (error) {
      const behind = this.#waiting;
      this.#waiting = [];
      for (const { reject } of [...batch, ...behind]) reject(error);
    } finally {
      this.#underWay--;
      this.#start();
    }
  }
}
