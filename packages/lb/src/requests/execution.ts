import { channels } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Flight } from '../endpoints/flight.ts';
import { DeadlineError } from '../errors.ts';
import type { Settlement } from '../policy.ts';
import type { Attempt, AttemptResult, RunOptions, Verdict } from '../request.ts';
import type { Timer, Timers } from '../util/timers.ts';
import type { Call } from './call.ts';
import { classifyByDefault, discard } from './classify.ts';
import { Gave, Threw } from './gave.ts';
import { type Hedging, mayHedge } from './hedging.ts';
import { notExecuted } from './not-executed.ts';
import type { RetrySettings } from './retry.ts';
import { Trip } from './trip.ts';

/** What running needs of a balancer. */
export interface Runner<E extends Endpoint> {
  readonly name: string;
  readonly timers: Timers;
  readonly retry: RetrySettings | undefined;
  readonly hedging: Hedging | undefined;
  now(): number;
  /** For one more attempt, an endpoint that was not asked, if the budget allows and there is one. */
  forRetry(options: RunOptions<never>, asked: readonly string[]): Flight<E> | undefined;
  forHedge(options: RunOptions<never>, asked: readonly string[]): Flight<E> | undefined;
}

/**
 * One request: attempts until one is good or none may follow. Usually one is on its way at a time, with hedging several;
 * the first good answer is the caller's and the others are broken off. One that fails while another is on its way is not
 * made again: that other one is its retry.
 */
export class Running<E extends Endpoint, T> {
  readonly #runner: Runner<E>;
  readonly #call: Call;
  readonly #attempt: Attempt<E, T>;
  readonly #options: RunOptions<T>;
  readonly #asked: string[] = [];
  readonly #underway: Trip<E>[] = [];
  #hedges = 0;
  #hedgeTimer: Timer | undefined;
  #resolve: (value: T) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(runner: Runner<E>, call: Call, attempt: Attempt<E, T>, options: RunOptions<T>) {
    this.#runner = runner;
    this.#call = call;
    this.#attempt = attempt;
    this.#options = options;
  }

  /** Settles as the attempt did that decided, or rejects when the call is stopped. */
  result(first: Flight<E>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#call.outcome = 'Unknown';
      this.#call.onStop = reason => this.#stop(reason);
      this.#launch(first, false);
    });
  }

  #launch(flight: Flight<E>, isHedge: boolean): void {
    this.#asked.push(flight.endpoint.id);
    const trip = new Trip(flight, this.#asked.length, isHedge);
    this.#underway.push(trip);
    const { timers, retry } = this.#runner;
    if (retry?.attemptTimeoutMs !== undefined) {
      trip.timer = timers.start(retry.attemptTimeoutMs, () => this.#expire(trip, retry.attemptTimeoutMs!));
    }
    this.#hedgeLater(trip);
    begin(this.#attempt, trip).then(
      value => this.#land(trip, new Gave(value)),
      error => this.#land(trip, new Threw(error)),
    );
  }

  #land(trip: Trip<E>, result: AttemptResult<T>): void {
    if (trip.over) {
      free(result);
      return;
    }
    try {
      this.#judge(trip, result);
    } catch (error) {
      // Of `classify` or of the policy: the caller must know
      this.#stop(error);
      free(result);
    }
  }

  #judge(trip: Trip<E>, result: AttemptResult<T>): void {
    const { classify = classifyByDefault, idempotent } = this.#options;
    const verdict = classify(result);
    this.#underway.splice(this.#underway.indexOf(trip), 1);
    if (verdict.ok) this.#took(trip, verdict.latencyMs);
    trip.end();
    trip.flight.done(settlementOf(verdict, result));
    if (verdict.ok || !mayRetry(verdict, result, idempotent)) this.#finish(trip, verdict.ok, result);
    else if (this.#underway.length > 0) drop(trip, result);
    else this.#retry(trip, result);
  }

  #retry(trip: Trip<E>, result: AttemptResult<T>): void {
    const attempts = this.#runner.retry?.attempts ?? 1;
    const next =
      this.#asked.length < attempts ? this.#runner.forRetry(this.#options, this.#asked) : undefined;
    if (next === undefined) {
      this.#finish(trip, false, result);
      return;
    }
    this.#tellRetry(trip, next, result);
    drop(trip, result);
    this.#launch(next, false);
  }

  #finish(trip: Trip<E>, ok: boolean, result: AttemptResult<T>): void {
    this.#hedgeTimer?.stop();
    if (ok && trip.isHedge) this.#runner.hedging!.won++;
    for (let loser = this.#underway.pop(); loser !== undefined; loser = this.#underway.pop()) {
      this.#took(loser);
      loser.end();
      loser.cancellation.abort(unwanted);
      loser.flight.outrun();
    }
    if ('error' in result) this.#reject(result.error);
    else this.#resolve(result.value);
  }

  /** Ends all from outside. Only a deadline is held against endpoints. */
  #stop(reason: unknown): void {
    let told = reason;
    this.#hedgeTimer?.stop();
    for (let trip = this.#underway.pop(); trip !== undefined; trip = this.#underway.pop()) {
      trip.end();
      trip.cancellation.abort(reason);
      try {
        trip.flight.done(this.#call.expired ? { ok: false, error: reason } : undefined);
      } catch (error) {
        told = error;
      }
    }
    this.#reject(told);
  }

  #expire(trip: Trip<E>, timeoutMs: number): void {
    const error = new DeadlineError('the attempt', timeoutMs, 'Unknown');
    trip.cancellation.abort(error);
    this.#land(trip, new Threw(error));
  }

  #hedgeLater({ flight }: Trip<E>): void {
    const { hedging, timers } = this.#runner;
    this.#hedgeTimer?.stop();
    this.#hedgeTimer = undefined;
    if (hedging === undefined || !mayHedge(this.#options) || this.#hedges >= hedging.max) return;
    const delayMs = hedging.delayMs(flight.startedAt);
    if (delayMs === undefined) return;
    this.#hedgeTimer = timers.start(delayMs, () => this.#hedge(flight, delayMs));
  }

  #hedge(from: Flight<E>, afterMs: number): void {
    try {
      const flight = this.#runner.forHedge(this.#options, this.#asked);
      if (flight === undefined) return;
      this.#hedges++;
      if (channels.hedge.hasSubscribers) {
        const about = { balancer: this.#runner.name, endpoint: flight.endpoint.id, from: from.endpoint.id };
        channels.hedge.publish({ ...about, attempt: this.#asked.length + 1, afterMs });
      }
      this.#launch(flight, true);
    } catch (error) {
      this.#stop(error);
    }
  }

  /** Only of what may be hedged, which other requests may be unlike. */
  #took({ flight, isHedge }: Trip<E>, latencyMs?: number): void {
    const { hedging } = this.#runner;
    if (hedging === undefined || isHedge || !mayHedge(this.#options)) return;
    const now = this.#runner.now();
    hedging.took(latencyMs ?? now - flight.startedAt, now);
  }

  #tellRetry({ flight }: Trip<E>, next: Flight<E>, result: AttemptResult<T>): void {
    if (!channels.retry.hasSubscribers) return;
    const about = { balancer: this.#runner.name, endpoint: next.endpoint.id, from: flight.endpoint.id };
    const attempt = this.#asked.length + 1;
    channels.retry.publish(
      'error' in result ? { ...about, attempt, error: result.error } : { ...about, attempt },
    );
  }
}

/** The reason that broken-off attempts see; one for all, as nobody else does. */
const unwanted = new DOMException('the attempt is not wanted any more', 'AbortError');

/** An attempt that throws at once is one that rejects. */
function begin<E extends Endpoint, T>(attempt: Attempt<E, T>, trip: Trip<E>): Promise<T> {
  try {
    return Promise.resolve(attempt(trip));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** An attempt that pays no heed to its signal may still bring something that must be freed. */
function free(result: AttemptResult<unknown>): void {
  if ('value' in result) discard(result.value);
}

/** Ends what is left of an attempt that failed. */
function drop<E extends Endpoint>(trip: Trip<E>, result: AttemptResult<unknown>): void {
  trip.cancellation.abort(unwanted);
  free(result);
}

function mayRetry(
  verdict: Verdict,
  result: AttemptResult<unknown>,
  idempotent: boolean | undefined,
): boolean {
  return verdict.retry ?? (idempotent === true || ('error' in result && notExecuted(result.error)));
}

function settlementOf({ ok, retryAfterMs, latencyMs }: Verdict, result: AttemptResult<unknown>): Settlement {
  const settlement: { -readonly [K in keyof Settlement]: Settlement[K] } = { ok };
  if ('error' in result) settlement.error = result.error;
  if (retryAfterMs !== undefined) settlement.retryAfterMs = retryAfterMs;
  if (latencyMs !== undefined) settlement.latencyMs = latencyMs;
  return settlement;
}
