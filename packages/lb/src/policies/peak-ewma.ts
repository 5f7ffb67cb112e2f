import { knownOptions, numberOption } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import type { Candidate, Outcome, PickRequest, Policy, PolicyFactory } from '../policy.ts';
import { Lottery, none } from './shared/lottery.ts';
import { effectiveLatencyMs, type PenaltyOptions, penaltyOption } from './shared/penalty.ts';

/** What a clock can show; were it 0, requests in flight would not count. */
const leastMs = 0.001;

export interface PeakEwmaOptions extends PenaltyOptions {
  /** How fast what was measured is forgotten: after this long 1/e of it is left. 10 000 if absent. */
  readonly decayMs?: number;
}

/**
 * Two endpoints are drawn, and the one expected to answer sooner takes the request: by its latency times its requests in
 * flight, this one included. The latency is Finagle's peak EWMA: the greatest of all there were, each faded by its age.
 *
 * - A failure counts as an answer after `penaltyMs`, so one that fails fast attracts nothing. It is asked again when
 *   that has faded to the latency of the others: after a minute where they take 10 ms; at once when it was ejected, and
 *   then one request at a time.
 * - Silence counts too: an endpoint that is given a request while it has not answered any since an earlier one is taken
 *   to be as slow as that wait, up to `penaltyMs`.
 * - One of which nothing is known, because it is new or was away, is asked at once, but with one request at a time until
 *   it has answered.
 * - Shares follow the weights where latencies and loads are alike: of two with different weights the choice is by lot,
 *   with odds that are as the weights, and as the cube of what is expected of the other.
 *
 * @throws InvalidOptionError
 */
export function peakEwma(options: PeakEwmaOptions = {}): PolicyFactory {
  knownOptions('peakEwma', options, ['decayMs', 'penaltyMs']);
  const decayMs = numberOption('decayMs', options.decayMs ?? 10_000, { above: 0 });
  const penaltyMs = penaltyOption(options);
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

  /** It has not answered, and would have taken longer: it still owes the rest. */
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
class PeakEstimates<E extends Endpoint> {
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
