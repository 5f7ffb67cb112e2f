import { numberOption } from '@ashlar/core';
import type { Endpoint } from '../../endpoint.ts';
import type { Candidate, Outcome } from '../../policy.ts';

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

interface Held {
  count: number;
  /** When `count` was right; it fades from then on. */
  at: number;
}

/** Less than this part of a request is nothing, so that an endpoint that failed once is as good as the others again. */
const nothing = 0.1;

/**
 * Failed requests that go on counting as in flight, for `penaltyMs` on average: as many as there would be if a failure
 * took that long. They fade exponentially, so that their number is all that need be kept.
 */
export class HeldFailures<E extends Endpoint> {
  readonly #penaltyMs: number;
  readonly #held = new Map<Candidate<E>, Held>();

  constructor(penaltyMs: number) {
    this.#penaltyMs = penaltyMs;
  }

  add(candidate: Candidate<E>, outcome: Outcome, now: number): void {
    if (this.#penaltyMs === 0) return;
    const count = this.of(candidate, now) + effectiveLatencyMs(outcome, this.#penaltyMs) / this.#penaltyMs;
    this.#held.set(candidate, { count, at: now });
  }

  /** Whether nobody failed of late. */
  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** How many of the candidate's failures count as in flight, in fractions. */
  of(candidate: Candidate<E>, now: number): number {
    const held = this.#held.get(candidate);
    if (held === undefined) return 0;
    const count = held.count * Math.exp((held.at - now) / this.#penaltyMs);
    if (count >= nothing) return count;
    this.#held.delete(candidate);
    return 0;
  }

  /** Forgets all others. */
  retain(candidates: readonly Candidate<E>[]): void {
    if (this.#held.size === 0) return;
    const kept = new Set(candidates);
    for (const candidate of this.#held.keys()) if (!kept.has(candidate)) this.#held.delete(candidate);
  }
}
