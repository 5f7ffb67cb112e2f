import type { Clock } from '@ashlar/core';
import { HandlerTimeoutError } from '../errors.ts';
import type { Once } from '../idempotency/once.ts';
import type { Attempts } from './attempts.ts';
import type { BatchContext, HandlerContext, Running } from './context.ts';

export type Handler = (payload: unknown, context: HandlerContext) => unknown;
export type BatchHandler = (payloads: readonly unknown[], context: BatchContext) => unknown;

interface Limits {
  readonly clock: Clock;
  readonly timeoutMs: number | undefined;
}

/** Calls the handler for one message, and settles that as it ends. */
export class SingleHandler {
  readonly #handler: Handler;
  readonly #attempts: Attempts;
  readonly #once: Once | undefined;
  readonly #limits: Limits;

  constructor(handler: Handler, attempts: Attempts, once: Once | undefined, limits: Limits) {
    this.#handler = handler;
    this.#attempts = attempts;
    this.#once = once;
    this.#limits = limits;
  }

  /** Never rejects. */
  async run(running: Running): Promise<void> {
    const admitted = await this.#attempts.admit(running);
    if (admitted === undefined) return;
    const call = () => called([running], this.#limits, () => this.#handler(admitted.payload, running));
    let result: unknown;
    try {
      if (this.#once === undefined) result = await running.untilAbort(call());
      else {
        const once = await this.#once.run(running, admitted.payload, () => running.untilAbort(call()));
        if (once.kind === 'busy') return await this.#attempts.giveBack(running, once.retryMs);
        result = once.result;
      }
    } catch (error) {
      return await this.#attempts.failed(running, error);
    }
    await this.#attempts.succeeded(running, result);
  }
}

/** Calls the handler for many messages, and settles each by its own result. */
export class BatchRun {
  readonly #handler: BatchHandler;
  readonly #attempts: Attempts;
  readonly #limits: Limits;

  constructor(handler: BatchHandler, attempts: Attempts, limits: Limits) {
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
    } catch (error) {
      return this.#attempts.failed(running, error);
    }
    if (result instanceof Error) await this.#attempts.failed(running, result);
    else await this.#attempts.succeeded(running, result);
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
  return {
    items: batch,
    get signal() {
      return AbortSignal.any(batch.map(({ signal }) => signal));
    },
  };
}

/** Calls within the time limit; when that is over, the messages are aborted. */
function called<T>(
  batch: readonly Running[],
  { clock, timeoutMs }: Limits,
  work: () => T,
): Promise<Awaited<T>> {
  // In an async function, so that a synchronous throw rejects too
  const result = (async () => work())() as Promise<Awaited<T>>;
  if (timeoutMs === undefined) return result;
  const timer = new AbortController();
  const expired = () => {
    for (const running of batch) running.abort(new HandlerTimeoutError(running.topic, timeoutMs));
  };
  clock.sleep(timeoutMs, timer.signal).then(expired, () => {});
  result.catch(() => {}).finally(() => timer.abort());
  return result;
}
