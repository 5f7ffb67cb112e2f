import type { Candidate } from '../candidate.ts';
import type { Endpoint } from '../endpoint.ts';

const unheard = -1;
/** The estimate of one of which nothing is known while it has requests in flight: more than any that is known. */
const unknown = 1e90;
/** Estimates are brought back to scale when time has raised it by e to this power. */
const maxExponent = 100;

/** What is known of how soon a candidate answers. */
export class Peak<E extends Endpoint> {
  readonly candidate: Candidate<E>;
  /** The estimate, at scale; below 0 until the first answer. */
  estimate: number = unheard;
  /** When it was first given a request that nothing was heard since; infinite when it owes no answer. */
  askedAt: number = Infinity;

  constructor(candidate: Candidate<E>) {
    this.candidate = candidate;
  }

  /** By which candidates are compared at one time: the latency times the requests in flight, one more included. */
  get load(): number {
    const { inFlight } = this.candidate;
    const estimate = this.estimate >= 0 ? this.estimate : inFlight > 0 ? unknown : 0;
    return estimate * (inFlight + 1);
  }
}

/**
 * An estimate is the greatest of all latencies there were, each faded by its age. That is Finagle's peak EWMA as it is
 * when it is looked at often: up at once, down towards nothing by 1/e in `decayMs`.
 *
 * As all fade alike, the scale is moved instead, and what is measured later weighs more (forward decay; Cormode,
 * Shkapenyuk, Srivastava and Xu, 2009): so they can be compared at any time without looking at the time.
 */
export class PeakEstimates<E extends Endpoint> {
  readonly #decayMs: number;
  #peaks: readonly Peak<E>[] = [];
  /** When the scale was 1. */
  #epoch = 0;

  constructor(decayMs: number) {
    this.#decayMs = decayMs;
  }

  /** These are all there are from now on. */
  keep(peaks: readonly Peak<E>[]): void {
    this.#peaks = peaks;
  }

  /** An answer took so long, or has taken so long already. */
  observe(peak: Peak<E>, latencyMs: number, now: number): void {
    // First the scale, which may bring the estimates back
    const scaled = latencyMs * this.#scale(now);
    if (scaled > peak.estimate) peak.estimate = scaled;
  }

  #scale(now: number): number {
    const exponent = (now - this.#epoch) / this.#decayMs;
    if (exponent <= maxExponent) return Math.exp(exponent);
    const shrink = Math.exp(-exponent);
    for (const peak of this.#peaks) if (peak.estimate > 0) peak.estimate *= shrink;
    this.#epoch = now;
    return 1;
  }
}
