import type { Candidate } from '../candidate.ts';
import type { Endpoint } from '../endpoint.ts';

const unheard = -1;
/** The estimate of one of which nothing is known while it has requests in flight: more than any that is known. */
const unknown = 1e90;
/** Estimates are brought back to scale when time has raised it by e to this power. */
const maxExponent = 100;
/** In this part of `decayMs` the scale grows by so little that its end serves as a bound. */
const boundPart = 0.001;

/**
 * How soon candidates are expected to answer. An estimate is the greatest of all latencies there were, each faded by its
 * age. That is Finagle's peak EWMA as it is when it is looked at often: up at once, down towards nothing by 1/e in
 * `decayMs`.
 *
 * As all fade alike, the scale is moved instead, and what is measured later weighs more (forward decay; Cormode,
 * Shkapenyuk, Srivastava and Xu, 2009): so they can be compared at any time without looking at the time.
 *
 * Kept in columns by place, the index among the candidates: an object for each would cost a pick more than all else does.
 */
export class PeakEstimates<E extends Endpoint> {
  readonly #decayMs: number;
  #places: ReadonlyMap<Candidate<E>, number> = new Map();
  /** At scale; below 0 until the first answer. */
  #estimates: Float64Array = new Float64Array(0);
  /** When it was first given a request that nothing was heard since; infinite when it owes no answer. */
  #askedAt: Float64Array = new Float64Array(0);
  /** When the scale was 1. */
  #epoch = 0;
  /** The scale is no more than `#bound` until then. */
  #boundUntil: number = -Infinity;
  #bound = 0;

  constructor(decayMs: number) {
    this.#decayMs = decayMs;
  }

  /** These are all there are from now on. */
  keep(candidates: readonly Candidate<E>[]): void {
    const before = candidates.map(candidate => this.#places.get(candidate) ?? -1);
    this.#estimates = Float64Array.from(before, place => this.#estimates[place] ?? unheard);
    this.#askedAt = Float64Array.from(before, place => this.#askedAt[place] ?? Infinity);
    this.#places = new Map(candidates.map((candidate, place) => [candidate, place]));
  }

  placeOf(candidate: Candidate<E>): number | undefined {
    return this.#places.get(candidate);
  }

  /** By which candidates are compared at one time: the latency times the requests in flight, one more included. */
  load(place: number, inFlight: number): number {
    const estimate = this.#estimates[place]!;
    if (estimate >= 0) return estimate * (inFlight + 1);
    return inFlight > 0 ? unknown * (inFlight + 1) : 0;
  }

  /** It is given a request. If it has owed an answer, it is at least as slow as it has been silent, up to so much. */
  ask(place: number, inFlight: number, mostMs: number, now: number): void {
    const askedAt = this.#askedAt[place]!;
    if (askedAt === Infinity || inFlight === 0) this.#askedAt[place] = now;
    else if (this.#estimates[place]! >= 0) this.observe(place, Math.min(now - askedAt, mostMs), now);
  }

  /** It has answered, after so long. */
  answer(place: number, latencyMs: number, now: number): void {
    this.#askedAt[place] = Infinity;
    this.observe(place, latencyMs, now);
  }

  /** An answer took so long, or has taken so long already. */
  observe(place: number, latencyMs: number, now: number): void {
    if (now > this.#boundUntil) this.#reckonBound(now);
    // As a rule it was quicker than that, and the scale need not be reckoned again
    if (latencyMs * this.#bound <= this.#estimates[place]!) return;
    const scaled = latencyMs * Math.exp((now - this.#epoch) / this.#decayMs);
    if (scaled > this.#estimates[place]!) this.#estimates[place] = scaled;
  }

  #reckonBound(now: number): void {
    const exponent = (now - this.#epoch) / this.#decayMs;
    if (exponent > maxExponent) {
      const shrink = Math.exp(-exponent);
      this.#estimates = this.#estimates.map(estimate => (estimate > 0 ? estimate * shrink : estimate));
      this.#epoch = now;
    }
    this.#boundUntil = now + this.#decayMs * boundPart;
    this.#bound = Math.exp((this.#boundUntil - this.#epoch) / this.#decayMs);
  }
}
