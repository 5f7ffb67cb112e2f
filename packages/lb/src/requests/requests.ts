import { functionOf, required } from '@ashlar/core';
import type { Follower } from '../discovery/follower.ts';
import type { Endpoint } from '../endpoint.ts';
import type { InFlightRequest } from '../endpoints/endpoint-set.ts';
import { ClosedError } from '../errors.ts';
import type { AcquireOptions, Attempt, DrainOptions, PickOptions, RunOptions } from '../request.ts';
import {
  checkAcquireOptions,
  checkDrainOptions,
  checkExcluded,
  checkPickOptions,
  checkRunOptions,
} from '../request-checks.ts';
import type { RequestsSnapshot } from '../snapshot.ts';
import { DenseSet } from '../util/dense-set.ts';
import { Call } from './call.ts';
import { Execution, type ExecutionSetup } from './execution.ts';
import { mayHedge } from './hedge.ts';
import { NoEndpoint } from './no-endpoint.ts';
import { WaitQueue, type WaitSettings } from './wait-queue.ts';

export interface RequestsSetup<E extends Endpoint> extends ExecutionSetup<E> {
  readonly waiting: WaitSettings;
  readonly follower: Follower<E> | undefined;
}

/** The requests of a balancer: they get an endpoint or wait for one, and are executed. */
export class Requests<E extends Endpoint> {
  readonly #setup: ExecutionSetup<E>;
  readonly #noEndpoint: NoEndpoint<E>;
  readonly #waiting: WaitQueue<E>;
  readonly #calls = new DenseSet<Call>();
  #closed = false;

  constructor(setup: RequestsSetup<E>) {
    const { balancer, endpoints, timers, waiting, follower } = setup;
    this.#setup = setup;
    this.#noEndpoint = new NoEndpoint(balancer, endpoints.members, follower);
    this.#waiting = new WaitQueue(endpoints, timers, waiting, this.#noEndpoint);
  }

  pick(options: PickOptions | undefined): InFlightRequest<E> {
    if (options !== undefined) checkPickOptions(options);
    if (this.#closed) this.#assertOpen();
    const exclude = options?.exclude;
    const excluded = exclude === undefined ? none : checkExcluded(exclude);
    const picked = this.#setup.endpoints.pick(options?.key, excluded, options?.prefer);
    if (picked === undefined) throw this.#noEndpoint.error(this.#noEndpoint.reason(excluded));
    return picked;
  }

  async acquire(options: AcquireOptions): Promise<InFlightRequest<E>> {
    checkAcquireOptions(options);
    const call = this.#begin(options);
    try {
      const { key, prefer } = options;
      return this.#setup.endpoints.pick(key, none, prefer) ?? (await this.#wait(call, options));
    } finally {
      this.#end(call);
    }
  }

  async run<T>(attempt: Attempt<E, T>, options: RunOptions<T>): Promise<T> {
    attemptRule(attempt, 'attempt');
    checkRunOptions(options);
    const call = this.#begin(options);
    try {
      const { retrying, hedging } = this.#setup;
      const picked =
        this.#setup.endpoints.pick(options.key, none, options.prefer) ?? (await this.#wait(call, options));
      retrying?.budget.request(picked.startedAt);
      if (hedging !== undefined && mayHedge(options)) hedging.budget.request(picked.startedAt);
      return await new Execution(this.#setup, call, attempt, options).start(picked);
    } finally {
      this.#end(call);
    }
  }

  /** Settles as the work does, or rejects at its deadline, when the signal aborts or when the balancer closes. */
  async within<T>(options: DrainOptions, what: string, work: () => Promise<T>): Promise<T> {
    checkDrainOptions(options);
    const call = this.#begin(options, what);
    try {
      return await new Promise<T>((resolve, reject) => {
        call.onStop = reject;
        work().then(resolve, reject);
      });
    } finally {
      this.#end(call);
    }
  }

  /** Serves or rejects the waiting requests after discovery has changed its state. */
  wake(): void {
    this.#waiting.serve(Infinity);
  }

  snapshot(): RequestsSnapshot {
    const { retrying, hedging } = this.#setup;
    return {
      waiting: this.#waiting.length,
      retries: retrying?.budget.spent ?? 0,
      retriesRefused: retrying?.budget.refused ?? 0,
      hedges: hedging?.budget.spent ?? 0,
      hedgesWon: hedging?.won ?? 0,
      hedgesRefused: hedging?.budget.refused ?? 0,
    };
  }

  close(): void {
    this.#closed = true;
    for (const call of this.#calls) call.stop(new ClosedError(this.#setup.balancer, call.outcome));
  }

  #begin(options: AcquireOptions, what?: string): Call {
    this.#assertOpen();
    const call = new Call(this.#setup.timers, options, what);
    this.#calls.add(call);
    return call;
  }

  #end(call: Call): void {
    this.#calls.delete(call);
    call.end();
  }

  async #wait(call: Call, options: AcquireOptions): Promise<InFlightRequest<E>> {
    const picked = await this.#waiting.wait(call, options);
    if (!call.stopped) return picked;
    // Stopped between the grant and here
    picked.done();
    throw call.reason;
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError(this.#setup.balancer, 'NotExecuted');
  }
}

const none: readonly string[] = [];

const attemptRule = /* @__PURE__ */ required(
  /* @__PURE__ */ functionOf<Attempt<Endpoint, unknown>>(),
  'a function that makes an attempt, given `{ endpoint, signal }`',
);
