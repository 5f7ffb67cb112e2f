import { numberOption } from '@ashlar/core';
import type { Outcome } from '../outcome.ts';

/** A `Retry-After` beyond this counts as this. */
const maxRetryAfterMs = 300_000;

export interface PenaltyOptions {
  /**
   * What a failure counts as at least, in milliseconds of latency, however fast it came: a longer `Retry-After`, up to
   * five minutes, and a longer latency count instead. 5 000 if absent (the defaults are Linkerd's). At 0 a failure is as
   * long as it took.
   */
  readonly penaltyMs?: number;
}

/** @throws InvalidOptionError */
export function penaltyOption({ penaltyMs = 5_000 }: PenaltyOptions): number {
  return numberOption('penaltyMs', penaltyMs, { min: 0 });
}

/** How long a request counts as having taken: what fails fast must not look fast. */
export function effectiveLatencyMs({ ok, latencyMs, retryAfterMs = 0 }: Outcome, penaltyMs: number): number {
  return ok ? latencyMs : Math.max(latencyMs, penaltyMs, Math.min(retryAfterMs, maxRetryAfterMs));
}
