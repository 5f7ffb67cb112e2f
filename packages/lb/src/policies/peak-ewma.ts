import { durationMs, type RulesFor, readOptions } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import type { Candidate, Outcome, PickRequest, Policy, PolicyFactory } from '../policy.ts';
import { Lottery, none } from './shared/lottery.ts';
import { effectiveLatencyMs, type PenaltyOptions, penaltyRules } from './shared/penalty.ts';

/** The resolution of a clock; at 0, requests in flight would not count. */
const leastMs = 0.001;

export interface PeakEwmaOptions extends PenaltyOptions {
  /** How fast measurements decay: after this time 1/e of one is left, in milliseconds. Default: 10 000. */
  readonly decayMs?: number;
}

const rules = /* @__PURE__ */ (() =>
  ({
    ...penaltyRules,
    decayMs: durationMs(10_000, { above: 0 }),
  }) satisfies RulesFor<PeakEwmaOptions>)();

/**
 * Draws two endpoints. The one expected to answer sooner takes the request, by its latency times its requests in flight,
 * this one included. The latency is Finagle's peak EWMA: the greatest that was measured, each decayed by its age.
 *
 * - A failure counts as an answer after `penaltyMs`, so one that fails fast attracts nothing. It gets requests again when
 *   that has decayed to the latency of the others: after a minute where they take 10 ms; at once when it was ejected, and
 *   then one request at a time.
 * - Silence counts too: an endpoint that gets a request while an earlier one is unanswered is taken to be as slow as that
 *   wait, up to `penaltyMs`.
 * - A new endpoint, or one that was away, gets requests at once, but one at a time until it has answered.
 * - Shares follow the weights where latencies and loads are alike: of two with different weights the choice is random, with
 *   odds in proportion to the weights and to the cube of the other's expected time.
 *
 * @throws InvalidOptionError
 */
export function peakEwma(options: PeakEwmaOptions = {}): PolicyFactory {
  const { decayMs, penaltyMs } = readOptions('peakEwma', options, rules);
  return () => new PeakEwma(decayMs, penaltyMs);
}

class PeakEwma<E extends Endpoint> implements Policy<E> {
  readonly #penaltyMs: number;
  readonly #estimates: PeakEstimates<E>;
  readonly #lottery = new Lottery<E>();
  #candidates: readonly Candidate<E>[] = [];

  constructor(decayMs: number, penaltyMs: number) {
    this.#estimates = new PeakEstimates(decayMs);
    this.#penaltyMs = penaltyMs;
  }

  update(eligible: readonly Candidate<E>[]): void {
    this.#candidates = eligible;
    this.#estimates.keep(eligible);
    this.#lottery.update(eligible);
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    const lottery = this.#lottery;
    lottery.drawTwo(request);
    if (lottery.first === none) return undefined;
    const place = lottery.second === none ? lottery.first : this.#better(lottery);
    const chosen = this.#candidates[place]!;
    this.#estimates.ask(place, chosen.inFlight, this.#penaltyMs, request.now);
    return chosen;
  }

  settled(candidate: Candidate<E>, outcome: Outcome, now: number): void {
    const place = this.#estimates.placeOf(candidate);
    if (place === undefined) return;
    const latencyMs = effectiveLatencyMs(outcome, this.#penaltyMs);
    this.#estimates.answer(place, Math.max(latencyMs, leastMs), now);
  }

  /** It has not answered, and would have taken longer. */
  outrun(candidate: Candidate<E>, afterMs: number, now: number): void {
    const place = this.#estimates.placeOf(candidate);
    if (place !== undefined) this.#estimates.observe(place, Math.max(afterMs, leastMs), now);
  }

  /** Which of the two that were drawn. */
  #better({ first, second, lot }: Lottery<E>): number {
    const one = this.#candidates[first]!;
    const other = this.#candidates[second]!;
    const load = this.#estimates.load(first, one.inFlight);
    const otherLoad = this.#estimates.load(second, other.inFlight);
    if (one.weight === other.weight) return otherLoad < load ? second : first;
    const forOne = one.weight * cube(otherLoad);
    const forOther = other.weight * cube(load);
    return lot * (forOne + forOther) < forOther ? second : first;
  }
}

function cube(number: number): number {
  return number * number * number;
}

const unmeasured = -1;
/** The estimate of one with requests in flight and no answer yet: more than any known one. */
const unknown = 1e90;
/** Estimates are scaled down when time has raised the scale by e to this power. */
const maxExponent = 100;
/** In this part of `decayMs` the scale grows so little that its final value serves as a bound. */
const boundPart = 0.001;

/**
 * How soon candidates are expected to answer. An estimate is the greatest of all measured latencies, each decayed by its
 * age. That is the limit of Finagle's peak EWMA for frequent reads: up at once, down towards 0 by 1/e in `decayMs`.
 *
 * As all decay alike, the scale moves instead, and later measurements weigh more (forward decay; Cormode, Shkapenyuk,
 * Srivastava and Xu, 2009): so estimates are comparable at any time without reading the time.
 *
 * Kept in columns by place, the index among the candidates: an object for each would cost more than the rest of a pick.
 */
class PeakEstimates<E extends Endpoint> {
  readonly #decayMs: number;
  #places: ReadonlyMap<Candidate<E>, number> = new Map();
  /** At scale; below 0 until the first answer. */
  #estimates: Float64Array = new Float64Array(0);
  /** When it got the first request since its last answer; infinite when no answer is due. */
  #askedAt: Float64Array = new Float64Array(0);
  /** When the scale was 1. */
  #epoch = 0;
  /** Until when `#bound` bounds the scale. */
  #boundUntil: number = -Infinity;
  #bound = 0;

  constructor(decayMs: number) {
    this.#decayMs = decayMs;
  }

  /** Keeps the estimates of these candidates and drops all others. */
  keep(candidates: readonly Candidate<E>[]): void {
    const before = candidates.map(candidate => this.#places.get(candidate) ?? -1);
    this.#estimates = Float64Array.from(before, place => this.#estimates[place] ?? unmeasured);
    this.#askedAt = Float64Array.from(before, place => this.#askedAt[place] ?? Infinity);
    this.#places = new Map(candidates.map((candidate, place) => [candidate, place]));
  }

  placeOf(candidate: Candidate<E>): number | undefined {
    return this.#places.get(candidate);
  }

  /** What candidates are compared by: the latency times the requests in flight, one more included. */
  load(place: number, inFlight: number): number {
    const estimate = this.#estimates[place]!;
    if (estimate >= 0) return estimate * (inFlight + 1);
    return inFlight > 0 ? unknown * (inFlight + 1) : 0;
  }

  /** A candidate gets a request. If an answer is due, it is at least as slow as its silence so far, up to `mostMs`. */
  ask(place: number, inFlight: number, mostMs: number, now: number): void {
    const askedAt = this.#askedAt[place]!;
    if (askedAt === Infinity || inFlight === 0) this.#askedAt[place] = now;
    else if (this.#estimates[place]! >= 0) this.observe(place, Math.min(now - askedAt, mostMs), now);
  }

  /** A candidate has answered. */
  answer(place: number, latencyMs: number, now: number): void {
    this.#askedAt[place] = Infinity;
    this.observe(place, latencyMs, now);
  }

  /** An answer took this long, or has taken this long already. */
  observe(place: number, latencyMs: number, now: number): void {
    if (now > this.#boundUntil) this.#updateBound(now);
    // Most answers are quicker than that, and then the scale need not be computed
    if (latencyMs * this.#bound <= this.#estimates[place]!) return;
    const scaled = latencyMs * Math.exp((now - this.#epoch) / this.#decayMs);
    if (scaled > this.#estimates[place]!) this.#estimates[place] = scaled;
  }

  #updateBound(now: number): void {
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
