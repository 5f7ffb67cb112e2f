import { channels } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import type { EndpointSet, InFlightRequest } from '../endpoints/endpoint-set.ts';
import { DeadlineError } from '../errors.ts';
import { type Attempt, AttemptContext, type AttemptResult, type RunOptions } from '../request.ts';
import { checkedVerdict } from '../request-checks.ts';
import { Cancellation } from '../util/cancellation.ts';
import { inThisContext, type Timer, type Timers } from '../util/timers.ts';
import type { Call } from './call.ts';
import { classifyByDefault, discard, mayRetry, settlementOf } from './classify.ts';
import { type Hedging, mayHedge } from './hedge.ts';
import type { RetryBudget, Retrying } from './retry.ts';

/** What the executions of one balancer share. */
export interface ExecutionSetup<E extends Endpoint> {
  readonly balancer: string;
  readonly endpoints: EndpointSet<E>;
  readonly timers: Timers;
  readonly retrying: Retrying | undefined;
  readonly hedging: Hedging | undefined;
}

/**
 * One request: attempts until one succeeds or none may follow. One runs at a time; with hedging, several. The first good
 * result goes to the caller and the other attempts are canceled. An attempt that fails while another runs is not retried:
 * the other one is its retry.
 */
export class Execution<E extends Endpoint, T> {
  readonly #setup: ExecutionSetup<E>;
  readonly #call: Call;
  readonly #attempt: Attempt<E, T>;
  readonly #options: RunOptions<T>;
  /** Ids of the endpoints of all attempts. */
  readonly #tried: string[] = [];
  readonly #running: RunningAttempt<E>[] = [];
  #hedges = 0;
  #hedgeTimer: Timer | undefined;
  #resolve: (value: T) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(setup: ExecutionSetup<E>, call: Call, attempt: Attempt<E, T>, options: RunOptions<T>) {
    this.#setup = setup;
    this.#call = call;
    this.#attempt = attempt;
    this.#options = options;
  }

  /** Settles as the deciding attempt did, or rejects when the call is stopped. Called once. */
  start(first: InFlightRequest<E>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#call.outcome = 'Unknown';
      const stop = (reason: unknown) => this.#stop(reason);
      this.#call.onStop = stop;
      this.#begin(first, false);
    });
  }

  #begin(picked: InFlightRequest<E>, isHedge: boolean): void {
    this.#tried.push(picked.endpoint.id);
    const running = new RunningAttempt(picked, this.#tried.length, isHedge);
    this.#running.push(running);
    const { timers, retrying } = this.#setup;
    const timeoutMs = retrying?.attemptTimeoutMs;
    if (timeoutMs !== undefined) {
      const expire = inThisContext(() => this.#expire(running, timeoutMs));
      running.timer = timers.start(timeoutMs, expire);
    }
    this.#scheduleHedge(picked);
    invoke(this.#attempt, running).then(
      value => this.#onResult(running, new Fulfilled(value)),
      error => this.#onResult(running, new Rejected(error)),
    );
  }

  #onResult(running: RunningAttempt<E>, result: AttemptResult<T>): void {
    if (running.isOver) {
      // An attempt that ignores its signal may still return something that must be freed
      discard(result);
      return;
    }
    try {
      this.#judge(running, result);
    } catch (error) {
      // Thrown by `classify` or by the policy
      this.#stop(error);
      discard(result);
    }
  }

  #judge(running: RunningAttempt<E>, result: AttemptResult<T>): void {
    const { classify, idempotent } = this.#options;
    const verdict = classify === undefined ? classifyByDefault(result) : checkedVerdict(classify(result));
    this.#running.splice(this.#running.indexOf(running), 1);
    if (verdict.ok) this.#recordLatency(running, verdict.latencyMs);
    running.end();
    running.picked.settle(settlementOf(verdict, result));
    if (verdict.ok || !mayRetry(verdict, result, idempotent, running.endpoint))
      this.#finish(running, verdict.ok, result);
    else if (this.#running.length > 0) abandon(running, result);
    else this.#retry(running, result);
  }

  #retry(failed: RunningAttempt<E>, result: AttemptResult<T>): void {
    const { retrying } = this.#setup;
    const next =
      retrying !== undefined && this.#tried.length < retrying.attempts
        ? this.#pickAnother(retrying.budget, true)
        : undefined;
    if (next === undefined) {
      this.#finish(failed, false, result);
      return;
    }
    this.#publishRetry(failed.endpoint.id, next.endpoint.id, result);
    abandon(failed, result);
    this.#begin(next, false);
  }

  #scheduleHedge(picked: InFlightRequest<E>): void {
    const { hedging, timers } = this.#setup;
    this.#endHedgeTimer();
    if (hedging === undefined || !mayHedge(this.#options) || this.#hedges >= hedging.max) return;
    const delayMs = hedging.delayMs(picked.startedAt);
    if (delayMs === undefined) return;
    const hedge = inThisContext(() => {
      if (this.#hedgeTimer === timer) this.#hedge(hedging, picked.endpoint.id, delayMs);
    });
    const timer = timers.start(delayMs, hedge);
    this.#hedgeTimer = timer;
  }

  #endHedgeTimer(): void {
    this.#hedgeTimer?.stop();
    this.#hedgeTimer = undefined;
  }

  #hedge({ budget }: Hedging, from: string, afterMs: number): void {
    try {
      const picked = this.#pickAnother(budget, false);
      if (picked === undefined) return;
      this.#hedges++;
      if (channels.hedge.hasSubscribers) {
        const about = { balancer: this.#setup.balancer, endpoint: picked.endpoint.id, from };
        channels.hedge.publish({ ...about, attempt: this.#tried.length + 1, afterMs });
      }
      this.#begin(picked, true);
    } catch (error) {
      this.#stop(error);
    }
  }

  /** An untried endpoint for one more attempt, if there is one and the budget allows it. */
  #pickAnother(budget: RetryBudget, lastResort: boolean): InFlightRequest<E> | undefined {
    const { endpoints } = this.#setup;
    const now = endpoints.now();
    if (!budget.allows(now)) {
      budget.refused++;
      return undefined;
    }
    const picked = endpoints.pick(this.#options.key, this.#tried, undefined, lastResort);
    if (picked !== undefined) budget.spend(now);
    return picked;
  }

  #finish(running: RunningAttempt<E>, ok: boolean, result: AttemptResult<T>): void {
    this.#endHedgeTimer();
    if (ok && running.isHedge) this.#setup.hedging!.won++;
    for (let loser = this.#running.pop(); loser !== undefined; loser = this.#running.pop()) {
      this.#recordLatency(loser);
      loser.end();
      loser.cancellation.abort(unwanted);
      loser.picked.outrun();
    }
    if ('error' in result) this.#reject(result.error);
    else this.#resolve(result.value);
  }

  /**
   * Ends all attempts from outside. Only a deadline counts against endpoints, and only against those that had at least half
   * of the time: not where a wait in line or an earlier attempt had used it up.
   */
  #stop(reason: unknown): void {
    let error = reason;
    this.#endHedgeTimer();
    for (let running = this.#running.pop(); running !== undefined; running = this.#running.pop()) {
      running.end();
      running.cancellation.abort(reason);
      try {
        if (!this.#call.expired) running.picked.settle();
        else if (this.#hadTime(running)) running.picked.settle({ ok: false, error: reason });
        else running.picked.outrun();
      } catch (thrown) {
        error = thrown;
      }
    }
    this.#reject(error);
  }

  #hadTime({ picked }: RunningAttempt<E>): boolean {
    return this.#setup.endpoints.now() - picked.startedAt >= this.#options.timeoutMs! / 2;
  }

  #expire(running: RunningAttempt<E>, timeoutMs: number): void {
    if (running.isOver) return;
    const error = new DeadlineError('the attempt', timeoutMs, 'Unknown');
    running.cancellation.abort(error);
    this.#onResult(running, new Rejected(error));
  }

  /** Only for requests that may be hedged: others may have other latencies. */
  #recordLatency({ picked, isHedge }: RunningAttempt<E>, latencyMs?: number): void {
    const { hedging, endpoints } = this.#setup;
    if (hedging === undefined || isHedge || !mayHedge(this.#options)) return;
    const now = endpoints.now();
    hedging.recordLatency(latencyMs ?? now - picked.startedAt, now);
  }

  #publishRetry(from: string, endpoint: string, result: AttemptResult<T>): void {
    if (!channels.retry.hasSubscribers) return;
    const about = { balancer: this.#setup.balancer, endpoint, from, attempt: this.#tried.length + 1 };
    channels.retry.publish('error' in result ? { ...about, error: result.error } : about);
  }
}

/** A running attempt, and the context it is given. */
class RunningAttempt<E extends Endpoint> extends AttemptContext<E> {
  readonly endpoint: E;
  readonly attempt: number;
  readonly picked: InFlightRequest<E>;
  /** Whether it was sent while an earlier one still ran. */
  readonly isHedge: boolean;
  /** Of its own timeout. */
  timer: Timer | undefined;
  /** Whether it was judged or canceled: a later result is discarded. */
  isOver = false;
  readonly cancellation: Cancellation = new Cancellation();

  constructor(picked: InFlightRequest<E>, attempt: number, isHedge: boolean) {
    super();
    this.endpoint = picked.endpoint;
    this.attempt = attempt;
    this.picked = picked;
    this.isHedge = isHedge;
  }

  get signal(): AbortSignal {
    return this.cancellation.signal;
  }

  answered(): void {
    if (this.isOver) return;
    this.timer?.stop();
    this.picked.answered();
  }

  end(): void {
    this.isOver = true;
    this.timer?.stop();
  }
}

/**
 * Results are instances of classes where an object literal would do, like all objects that requests make by the thousand
 * and that refer to more than numbers. V8 may allocate the objects of a literal in the old generation, which is seldom
 * collected: there each keeps alive what it refers to, in the proxy a whole request. That can double its cost. So does V8
 * always with a function that is written right behind `x.y =`; one that is a constant first is allocated like others.
 */
class Fulfilled<T> {
  readonly value: T;
  constructor(value: T) {
    this.value = value;
  }
}

class Rejected {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

/** The abort reason of all canceled attempts; one object is enough, as no caller sees it. */
const unwanted = /* @__PURE__ */ new DOMException('the attempt is not wanted any more', 'AbortError');

/** A synchronous throw counts as a rejection. */
function invoke<E extends Endpoint, T>(attempt: Attempt<E, T>, context: AttemptContext<E>): Promise<T> {
  try {
    return Promise.resolve(attempt(context));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Frees what a failed attempt left open. */
function abandon<E extends Endpoint>(running: RunningAttempt<E>, result: AttemptResult<unknown>): void {
  running.cancellation.abort(unwanted);
  discard(result);
}
