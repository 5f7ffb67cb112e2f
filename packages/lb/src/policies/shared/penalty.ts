import { durationMs, type Rule } from '@ashlar/core';
import type { Endpoint } from '../../endpoint.ts';
import type { Candidate, Outcome } from '../../policy.ts';

/** A longer `Retry-After` counts as this. */
const maxRetryAfterMs = 300_000;

export interface PenaltyOptions {
  /**
   * The least latency that a failure counts as, in milliseconds, however fast it came. A longer `Retry-After`, up to five
   * minutes, and a longer latency count instead. At 0 a failure counts with its own latency. Default: 5 000, as in Linkerd.
   */
  readonly penaltyMs?: number;
}

/** The rule of `PenaltyOptions`. */
export const penaltyRules: { readonly penaltyMs: Rule<number> } = {
  penaltyMs: /* @__PURE__ */ durationMs(5_000),
};

/** The latency that a request counts as: one that fails fast must not look fast. */
export function effectiveLatencyMs({ ok, latencyMs, retryAfterMs = 0 }: Outcome, penaltyMs: number): number {
  return ok ? latencyMs : Math.max(latencyMs, penaltyMs, Math.min(retryAfterMs, maxRetryAfterMs));
}

interface Held {
  count: number;
  /** When `count` was computed; it decays from then on. */
  at: number;
}

/** A smaller part of a request counts as none, so that an endpoint that failed once becomes equal to the others again. */
const nothing = 0.1;

/**
 * Failed requests that keep counting as in flight, for `penaltyMs` on average: as many as there would be if a failure took
 * that long. They decay exponentially, so that one number is enough to keep.
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

  /** Whether no candidate failed recently. */
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

  /** Drops all other candidates. */
  retain(candidates: readonly Candidate<E>[]): void {
    if (this.#held.size === 0) return;
    const kept = new Set(candidates);
    for (const candidate of this.#held.keys()) if (!kept.has(candidate)) this.#held.delete(candidate);
  }
}
