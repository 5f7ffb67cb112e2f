import type { Once } from '../idempotency/once.ts';
import type { Attempts } from './attempts.ts';
import { type CallLimits, called } from './calling.ts';
import type { BatchContext, HandlerContext, Running } from './context.ts';

export type Handler = (payload: unknown, context: HandlerContext) => unknown;
export type BatchHandler = (payloads: readonly unknown[], context: BatchContext) => unknown;

/** Calls the handler for one message, and settles that as it ends. */
export class SingleHandler {
  readonly #handler: Handler;
  readonly #attempts: Attempts;
  readonly #once: Once | undefined;
  readonly #limits: CallLimits;

  constructor(handler: Handler, attempts: Attempts, once: Once | undefined, limits: CallLimits) {
    this.#handler = handler;
    this.#attempts = attempts;
    this.#once = once;
    this.#limits = limits;
  }

  /** Never rejects. */
  async run(running: Running): Promise<void> {
    // Each turn that is waited for costs a message; most are there at once
    const admission = this.#attempts.admit(running);
    const admitted = admission instanceof Promise ? await admission : admission;
    if (admitted === undefined) return;
    const { payload } = admitted;
    let result: unknown;
    try {
      if (this.#once === undefined) {
        const { timeoutMs } = this.#limits;
        const returned =
          timeoutMs === undefined ? this.#handler(payload, running) : this.#call(payload, running);
        // What is there at once is not waited for
        if (isThenable(returned)) result = await running.untilAbort(returned);
        else if (running.abortReason === undefined) result = returned;
        else throw running.abortReason;
      } else {
        const once = await this.#once.run(running, payload, async () =>
          this.#attempts.keepable(running, await this.#call(payload, running)),
        );
        if (once.kind === 'busy') return await this.#attempts.giveBack(running, once.retryMs);
        result = once.result;
      }
    } catch (error) {
      return await this.#attempts.failed(running, error);
    }
    await this.#attempts.succeeded(running, result);
  }

  #call(payload: unknown, running: Running): Promise<unknown> {
    return called([running], this.#limits, () => this.#handler(payload, running));
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject && typeof (value as { readonly then?: unknown }).then === 'function';
}

/** Calls the handler for many messages, and settles each by its own result. */
export class BatchRun {
  readonly #handler: BatchHandler;
  readonly #attempts: Attempts;
  readonly #limits: CallLimits;

  constructor(handler: BatchHandler, attempts: Attempts, limits: CallLimits) {
    this.#handler = handler;
    this.#attempts = attempts;
    this.#limits = limits;
  }

  /** Never rejects. */
  async run(all: readonly Running[]): Promise<void> {
    const admitted = await Promise.all(all.map(running => this.#attempts.admit(running)));
    const batch = all.filter((_, index) => admitted[index] !== undefined);
    if (batch.length === 0) return;
    const payloads = admitted.flatMap(each => (each === undefined ? [] : [each.payload]));
    const results = called(batch, this.#limits, async () =>
      resultsOf(await this.#handler(payloads, contextOf(batch)), batch.length),
    );
    await Promise.all(batch.map((running, index) => this.#settle(running, results, index)));
  }

  async #settle(running: Running, results: Promise<readonly unknown[]>, index: number): Promise<void> {
    let result: unknown;
    try {
      result = (await running.untilAbort(results))[index];
      if (result instanceof Error) throw result;
    } catch (error) {
      return this.#attempts.failed(running, error);
    }
    await this.#attempts.succeeded(running, result);
  }
}

/** What a batch's handler returned, one for each message; an Error is a failure of that message. */
function resultsOf(returned: unknown, count: number): readonly unknown[] {
  if (returned === undefined) return new Array<undefined>(count).fill(undefined);
  if (Array.isArray(returned) && returned.length === count) return returned;
  const got = Array.isArray(returned) ? `an array of ${returned.length}` : typeof returned;
  throw new TypeError(
    `a handler of batches must return nothing, or an array of ${count} results; got ${got}`,
  );
}

function contextOf(batch: readonly Running[]): BatchContext {
  let made: AbortSignal | undefined;
  return {
    items: batch,
    get signal() {
      made ??= AbortSignal.any(batch.map(({ signal }) => signal));
      return made;
    },
  };
}
