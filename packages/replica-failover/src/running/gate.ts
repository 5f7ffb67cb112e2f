import { abortable } from '@ashlar/core';
import { WaitingFullError } from '../errors.ts';

/** Where writes wait, at most so many: for a primary, and while one is about to hand over. */
export class Gate {
  readonly #set: string;
  readonly #maxWaiting: number;
  /** Why it is held, and what calls lack meanwhile. */
  readonly #holds = new Map<string, () => Error>();
  #inside = 0;
  #waiting = 0;
  #drained: PromiseWithResolvers | undefined;
  #opened: PromiseWithResolvers | undefined;

  constructor(set: string, maxWaiting: number) {
    this.#set = set;
    this.#maxWaiting = maxWaiting;
  }

  get isHeld(): boolean {
    return this.#holds.size > 0;
  }

  /** What calls lack while it is held. */
  lacks(): Error | undefined {
    return [...this.#holds.values()][0]?.();
  }

  /** Lets nobody in from now on. Resolves when nobody is inside any more, or it is open again. */
  hold(reason: string, lacks: () => Error): Promise<void> {
    this.#holds.set(reason, lacks);
    this.#opened ??= withResolvers();
    this.#drained ??= withResolvers();
    if (this.#inside === 0) this.#drained.resolve();
    return this.#drained.promise;
  }

  /** Ends a hold; without a reason, all. */
  open(reason?: string): void {
    if (reason === undefined) this.#holds.clear();
    else this.#holds.delete(reason);
    if (this.isHeld) return;
    this.#opened?.resolve();
    this.#drained?.resolve();
    this.#opened = undefined;
    this.#drained = undefined;
  }

  /** Runs the work inside. The caller has seen, just before, that the gate is not held. */
  async within<T>(work: () => Promise<T>): Promise<T> {
    this.#inside++;
    try {
      return await work();
    } finally {
      this.#inside--;
      if (this.#inside === 0) this.#drained?.resolve();
    }
  }

  /** Waits with the others. @throws WaitingFullError when there are as many as may be */
  async wait<T>(forWhat: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#maxWaiting) throw new WaitingFullError(this.#set, this.#maxWaiting);
    this.#waiting++;
    try {
      return await forWhat();
    } finally {
      this.#waiting--;
    }
  }

  /** Resolves when it is not held. Rejects with the signal's reason. */
  async opened(signal: AbortSignal): Promise<void> {
    if (this.#opened !== undefined) await abortable(this.#opened.promise, signal);
  }
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  resolve(): void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve = () => {};
  const promise = new Promise<void>(settle => {
    resolve = settle;
  });
  return { promise, resolve };
}
