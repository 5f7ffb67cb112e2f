/** What the user of an endpoint says of a request. */
export interface Settlement {
  /** Whether the endpoint did well: an answer that is the caller's own fault is `ok`. */
  readonly ok: boolean;
  readonly error?: unknown;
  /** How long the endpoint asked to be left alone, as by `Retry-After`. */
  readonly retryAfterMs?: number;
  /** How long the endpoint took; from the pick to `done` if absent, which is too long of what goes on as a stream. */
  readonly latencyMs?: number;
}

/** How a request went, as policies and outlier detectors are told. */
export interface Outcome extends Settlement {
  readonly latencyMs: number;
}

/** Policies and detectors reckon with these numbers: what is no duration is not passed on. */
export function outcomeOf(
  { ok, error, retryAfterMs, latencyMs }: Settlement,
  sincePickedMs: number,
): Outcome {
  const outcome: { -readonly [K in keyof Outcome]: Outcome[K] } = {
    ok,
    latencyMs: isDuration(latencyMs) ? latencyMs : sincePickedMs,
  };
  if (error !== undefined) outcome.error = error;
  if (isDuration(retryAfterMs)) outcome.retryAfterMs = retryAfterMs;
  return outcome;
}

function isDuration(ms: number | undefined): ms is number {
  return ms !== undefined && ms >= 0 && ms < Infinity;
}
