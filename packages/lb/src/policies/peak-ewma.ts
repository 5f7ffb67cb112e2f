import { knownOptions, numberOption } from '@ashlar/core';
import type { Candidate } from '../candidate.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Outcome } from '../outcome.ts';
import type { PickRequest, Policy, PolicyFactory } from '../policy.ts';
import { Lottery, nobody } from './lottery.ts';
import { PeakEstimates } from './peak-estimates.ts';
import { effectiveLatencyMs, type PenaltyOptions, penaltyOption } from './penalty.ts';

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
    if (lottery.first === nobody) return undefined;
    const place = lottery.second === nobody ? lottery.first : this.#better(lottery);
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
