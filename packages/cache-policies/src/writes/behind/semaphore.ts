/** A bounded number of places and the line of those who wait for one. */
export class Places {
  #free: number;
  readonly #line = new Set<{ resolve(): void; reject(reason: unknown): void }>();

  constructor(count: number) {
    this.#free = count;
  }

  /** Somebody waits. */
  get isCrowded(): boolean {
    return this.#line.size > 0;
  }

  tryTake(): boolean {
    if (this.#free <= 0 || this.#line.size > 0) return false;
    this.#free--;
    return true;
  }

  /** Beyond the bound, for what cannot wait. */
  takeAnyway(): void {
    this.#free--;
  }

  /** Waits its turn. Rejects with the reason of the signal, or of `close`. */
  take(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const end = () => {
        signal?.removeEventListener('abort', onAbort);
        this.#line.delete(waiter);
      };
      const waiter = {
        resolve: () => {
          end();
          resolve();
        },
        reject: (reason: unknown) => {
          end();
          reject(reason);
        },
      };
      const onAbort = () => waiter.reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#line.add(waiter);
    });
  }

  free(count: number): void {
    this.#free += count;
    for (const waiter of this.#line) {
      if (this.#free <= 0) return;
      this.#free--;
      waiter.resolve();
    }
  }

  close(reason: unknown): void {
    for (const waiter of this.#line) waiter.reject(reason);
  }
}
