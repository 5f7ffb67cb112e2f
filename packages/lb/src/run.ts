import type { Call } from './call.ts';
import { classifyByDefault, discard } from './classify.ts';
import { channels } from './diagnostics.ts';
import type { Endpoint } from './endpoint.ts';
import type { Flight } from './flight.ts';
import { notExecuted } from './not-executed.ts';
import type { Settlement } from './outcome.ts';
import type { Attempt, AttemptContext, AttemptResult, RunOptions, Verdict } from './request.ts';
import type { RetrySettings } from './retry.ts';

/** What running needs of a balancer. */
export interface Runner<E extends Endpoint> {
  readonly name: string;
  readonly retry: RetrySettings | undefined;
  /** An endpoint that was not tried, if the budget allows and there is one. */
  another(options: RunOptions<never>, tried: readonly string[]): Flight<E> | undefined;
}

/** Makes attempts until one is good or none may follow; what the last one gave is what the caller gets. */
export async function run<E extends Endpoint, T>(
  runner: Runner<E>,
  call: Call,
  first: Flight<E>,
  attempt: Attempt<E, T>,
  options: RunOptions<T>,
): Promise<T> {
  const tried: string[] = [];
  let flight = first;
  try {
    for (let number = 1; ; number++) {
      const result = await tryOnce(call, flight, attempt, number, runner.retry?.attemptTimeoutMs);
      if (call.stopped) {
        if (call.expired) flight.done({ ok: false, error: call.cancellation.reason });
        throw call.cancellation.reason;
      }
      const verdict = (options.classify ?? classifyByDefault)(result);
      flight.done(settlementOf(verdict, result));
      tried.push(flight.endpoint.id);
      const retry = number < (runner.retry?.attempts ?? 1) && mayRetry(verdict, result, options);
      const next = retry ? runner.another(options, tried) : undefined;
      if (next === undefined) {
        if ('error' in result) throw result.error;
        return result.value;
      }
      tell(runner, flight, next, number + 1, result);
      if ('value' in result) discard(result.value);
      call.renew();
      flight = next;
    }
  } finally {
    // What comes here in flight was given up: by the caller, by the close, or by an error of `classify`
    flight.done();
  }
}

async function tryOnce<E extends Endpoint, T>(
  call: Call,
  { endpoint }: Flight<E>,
  attempt: Attempt<E, T>,
  number: number,
  timeoutMs: number | undefined,
): Promise<AttemptResult<T>> {
  let work: Promise<T> | undefined;
  const { cancellation } = call;
  const begin = () => {
    work = begun(attempt, {
      endpoint,
      attempt: number,
      cancellation,
      get signal() {
        return cancellation.signal;
      },
    });
    return work;
  };
  try {
    return { value: await call.attempt(begin, timeoutMs) };
  } catch (error) {
    // An attempt that pays no heed to its signal may still bring something that must be freed
    if (cancellation.aborted) work?.then(discard, () => {});
    return { error };
  }
}

async function begun<E extends Endpoint, T>(attempt: Attempt<E, T>, context: AttemptContext<E>): Promise<T> {
  return attempt(context);
}

function mayRetry<T>(verdict: Verdict, result: AttemptResult<T>, { idempotent }: RunOptions<T>): boolean {
  if (verdict.ok) return false;
  return verdict.retry ?? (idempotent === true || ('error' in result && notExecuted(result.error)));
}

function settlementOf<T>({ ok, retryAfterMs, latencyMs }: Verdict, result: AttemptResult<T>): Settlement {
  const settlement: { -readonly [K in keyof Settlement]: Settlement[K] } = { ok };
  if ('error' in result) settlement.error = result.error;
  if (retryAfterMs !== undefined) settlement.retryAfterMs = retryAfterMs;
  if (latencyMs !== undefined) settlement.latencyMs = latencyMs;
  return settlement;
}

function tell<E extends Endpoint>(
  runner: Runner<E>,
  from: Flight<E>,
  to: Flight<E>,
  attempt: number,
  result: AttemptResult<unknown>,
): void {
  if (!channels.retry.hasSubscribers) return;
  const about = { balancer: runner.name, endpoint: to.endpoint.id, from: from.endpoint.id, attempt };
  channels.retry.publish('error' in result ? { ...about, error: result.error } : about);
}
