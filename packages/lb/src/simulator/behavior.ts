import { AshlarError, numberOption, type Random } from '@ashlar/core';
import type { Distribution } from './distributions.ts';

/** As of HTTP, so that a balancer judges it as it would there. */
export interface SimulatedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** What becomes of one request. */
export interface Reaction {
  /** When it is settled; never if infinite. */
  readonly afterMs: number;
  /** Whether it is work, for which it waits until one of the slots is free. */
  readonly works: boolean;
  readonly response: SimulatedResponse | Error;
}

/** How a replica takes requests; asked for each. */
export type Behavior = (random: Random) => Reaction;

class RefusedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SIMULATED_REFUSAL';
  readonly outcome = 'NotExecuted';
}

const ok: SimulatedResponse = { status: 200, headers: {} };

/** Answers well, after so much work. */
export function serving(service: Distribution): Behavior {
  return random => ({ afterMs: service(random), works: true, response: ok });
}

/** Answers 503 without doing any work, `afterMs` later; `retryAfterMs` goes out in whole seconds, as HTTP has it. */
export function failing({
  afterMs = 1,
  retryAfterMs,
}: {
  afterMs?: number;
  retryAfterMs?: number;
} = {}): Behavior {
  numberOption('afterMs', afterMs, { min: 0 });
  const headers: Record<string, string> =
    retryAfterMs === undefined ? {} : { 'retry-after': `${Math.ceil(retryAfterMs / 1_000)}` };
  return () => ({ afterMs, works: false, response: { status: 503, headers } });
}

/** Is not there: no connection is made. */
export function refusing(): Behavior {
  return () => ({ afterMs: 0, works: false, response: new RefusedError('the simulated replica refused') });
}

/** Takes requests and never answers. */
export function silent(): Behavior {
  return () => ({ afterMs: Infinity, works: false, response: ok });
}
