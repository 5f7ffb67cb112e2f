import { AshlarError, durationMs, type Random, readOptions } from '@ashlar/core';
import type { Distribution } from './distributions.ts';

/** Shaped as an HTTP response, so that a balancer classifies it as one. */
export interface SimulatedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** How a replica handles one request. */
export interface Reaction {
  /** When it is settled; never if infinite. */
  readonly afterMs: number;
  /** Whether it is work, which needs a free slot. */
  readonly works: boolean;
  readonly response: SimulatedResponse | Error;
}

/** How a replica handles requests; called for each. */
export type Behavior = (random: Random) => Reaction;

class RefusedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_SIMULATED_REFUSAL';
  static override readonly retryable: boolean = true;
  readonly outcome = 'NotExecuted';
}

const ok: SimulatedResponse = { status: 200, headers: {} };

/** Answers 200 after work that takes the given time. */
export function serving(service: Distribution): Behavior {
  return random => ({ afterMs: service(random), works: true, response: ok });
}

const failingRules = /* @__PURE__ */ (() => ({ afterMs: durationMs(1), retryAfterMs: durationMs() }))();

/** Answers 503 without doing any work, after `afterMs`. `retryAfterMs` is sent in whole seconds, as HTTP requires. */
export function failing(options: { afterMs?: number; retryAfterMs?: number } = {}): Behavior {
  const { afterMs, retryAfterMs } = readOptions('failing', options, failingRules);
  const headers: Record<string, string> =
    retryAfterMs === undefined ? {} : { 'retry-after': `${Math.ceil(retryAfterMs / 1_000)}` };
  return () => ({ afterMs, works: false, response: { status: 503, headers } });
}

/** Refuses connections. */
export function refusing(): Behavior {
  return () => ({ afterMs: 0, works: false, response: new RefusedError('the simulated replica refused') });
}

/** Takes requests and never answers. */
export function silent(): Behavior {
  return () => ({ afterMs: Infinity, works: false, response: ok });
}
