/** A bounded number of permits, and the line of callers that wait for one. */
export class Semaphore {
  #free: number;
  readonly #line = new Set<{ resolve(): void; reject(reason: unknown): void }>();

  constructor(permits: number) {
    this.#free = permits;
  }

  get hasWaiting(): boolean {
    return this.#line.size > 0;
  }

  tryAcquire(): boolean {
    if (this.#free <= 0 || this.#line.size > 0) return false;
    this.#free--;
    return true;
  }

  /** Takes a permit beyond the bound, for a write that cannot wait. */
  overdraw(): void {
    this.#free--;
  }

  /** Waits its turn. Rejects with the reason of the signal, or of `close`. */
  acquire(signal: AbortSignal | undefined): Promise<void> {
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

  release(permits: number): void {
    this.#free += permits;
    for (const waiter of this.#line) {
      if (this.#free <= 0) return;
      this.#free--;
      waiter.resolve();
    }
  }

  /** Rejects every waiting caller. */
  close(reason: unknown): void {
    for (const waiter of this.#line) waiter.reject(reason);
  }
}
