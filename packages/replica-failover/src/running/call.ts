import { onAbort } from '@ashlar/core';
import { CallTimeoutError, OutcomeUnknownError } from '../errors.ts';
import type { Deadlines } from './deadlines.ts';

export type Operation = 'write' | 'read' | 'transaction';

export interface CallOptions {
  readonly operation: Operation;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly deadlines: Deadlines;
}

/** One call: its time, and what is known of it when that is over. */
export class Call {
  readonly operation: Operation;
  /** Whether what was sent may have changed something. */
  mayHaveRun: () => boolean = () => false;
  /** Whether another server may serve it sooner than one that takes long to make a connection. */
  mayGoElsewhere = false;
  /** What it waits for, as an error that says so. */
  lacks: (() => Error) | undefined;
  /** Why the attempt before this one failed. */
  lastError: unknown;
  readonly #timeoutMs: number;
  readonly #listeners = new Set<(reason: unknown) => void>();
  #over: { readonly reason: unknown } | undefined;
  #controller: AbortController | undefined;

  private constructor({ operation, timeoutMs }: CallOptions) {
    this.operation = operation;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Runs the work within the call's time; rejects with what is true when that is over. The work itself cannot be stopped: what
   * it settles to after that is dropped.
   */
  static run<T>(options: CallOptions, work: (call: Call) => Promise<T>): Promise<T> {
    const { timeoutMs, signal, deadlines } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const call = new Call(options);
      const end = (reason: unknown) => {
        release();
        call.#end(reason);
        reject(reason);
      };
      const forget = deadlines.add(timeoutMs, () => end(call.#late()));
      const unlink = signal && onAbort(signal, end);
      const release = () => {
        forget();
        unlink?.();
      };
      work(call).then(
        result => {
          release();
          resolve(result);
        },
        error => {
          release();
          reject(error);
        },
      );
    });
  }

  /** Aborts when the call is over: late, or no longer wanted. Made when it is first needed, which is seldom. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#over !== undefined) this.#controller.abort(this.#over.reason);
    }
    return this.#controller.signal;
  }

  /** @throws the reason why the call is over */
  throwIfOver(): void {
    if (this.#over !== undefined) throw this.#over.reason;
  }

  /** Calls the listener when the call is over, at once if it is. Returns a function that forgets it. */
  onOver(listener: (reason: unknown) => void): () => void {
    if (this.#over === undefined) this.#listeners.add(listener);
    else listener(this.#over.reason);
    return () => this.#listeners.delete(listener);
  }

  #end(reason: unknown): void {
    this.#over = { reason };
    for (const listener of [...this.#listeners]) listener(reason);
    this.#controller?.abort(reason);
  }

  #late(): Error {
    const what = `the ${this.operation}`;
    if (this.mayHaveRun())
      return new OutcomeUnknownError(`${what} was not over within ${this.#timeoutMs} ms`);
    return this.lacks?.() ?? new CallTimeoutError(what, this.#timeoutMs, { cause: this.lastError });
  }
}
