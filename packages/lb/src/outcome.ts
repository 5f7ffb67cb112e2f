/** What the user of an endpoint says of a request. */
export interface Settlement {
  /** Whether the endpoint did well: an answer that is the caller's own fault is `ok`. */
  readonly ok: boolean;
  readonly error?: unknown;
  /** How long the endpoint asked to be left alone, as by `Retry-After`. */
  readonly retryAfterMs?: number;
}

/** How a request went, as policies and outlier detectors are told. */
export interface Outcome extends Settlement {
  /** From the pick to `done`. */
  readonly latencyMs: number;
}
