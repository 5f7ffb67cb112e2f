import type { CallOutcome } from '@ashlar/core';
import { StoreTimeoutError } from '../../errors.ts';

/** One operation under way: it ends in time, whatever it waits for. */
export class Call {
  readonly operation: string;
  readonly #onLoss: CallOutcome;
  readonly #over: Promise<never>;
  readonly #timer: NodeJS.Timeout;
  #end!: (error: Error) => void;
  #isSent = false;

  /** `onLoss` is what is known of the operation when its answer does not come. */
  constructor(operation: string, timeoutMs: number, onLoss: CallOutcome) {
    this.operation = operation;
    this.#onLoss = onLoss;
    this.#over = new Promise((_, reject) => {
      this.#end = reject;
    });
    this.#over.catch(() => {});
    this.#timer = setTimeout(
      () => this.#end(new StoreTimeoutError(operation, timeoutMs, this.outcome)),
      timeoutMs,
    );
  }

  /** What is known of it as long as there is no answer. */
  get outcome(): CallOutcome {
    return this.#isSent ? this.#onLoss : 'NotExecuted';
  }

  sent(): void {
    this.#isSent = true;
  }

  /** Ends it before its time. */
  fail(error: Error): void {
    this.#end(error);
  }

  /** Settles as `work` does, or rejects when the call is over; the work is then left to itself. */
  within<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#over]);
  }

  done(): void {
    clearTimeout(this.#timer);
  }
}
