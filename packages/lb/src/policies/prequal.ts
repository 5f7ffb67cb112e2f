import {
  describe,
  InvalidOptionError,
  integerOption,
  knownOptions,
  numberOption,
  type Random,
} from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import type {
  Candidate,
  Load,
  Outcome,
  PickRequest,
  Policy,
  PolicyFactory,
  Probe,
  Probing,
} from '../policy.ts';
import { leastRequests } from './least-requests.ts';
import { HeldFailures, type PenaltyOptions, penaltyOption } from './shared/penalty.ts';
import { ProbePool } from './shared/probe-pool.ts';

export interface PrequalOptions extends PenaltyOptions {
  /** Asks an endpoint for its load. The balancer calls it after picks, a few endpoints each time. */
  readonly probe: Probe;
  /** How many probes are made for a pick; 3 if absent. */
  readonly probesPerPick?: number;
  /** How many answers are kept, at least 2; 16 if absent. */
  readonly poolSize?: number;
  /** How long an answer is of use, and may take to come; 1 000 if absent. */
  readonly maxAgeMs?: number;
  /** What part of the answers is cold by its requests in flight, from 0 to 1; 2^-0.25, about 0.84, if absent. */
  readonly coldPart?: number;
}

const optionNames = ['probe', 'probesPerPick', 'poolSize', 'maxAgeMs', 'coldPart', 'penaltyMs'];

/**
 * Goes by what endpoints say of themselves, so that load from all clients counts (Prequal; Wydrowski, Kleinberg,
 * Rumble and Archer, 2024). Of the latest answers to probes those with many requests in flight are hot, the rest cold: of
 * the cold ones the one with the lowest latency takes the request, and if none is cold the one with the fewest in flight.
 *
 * A failure goes on counting as in flight and as latency, for `penaltyMs` on average. With less than two answers of use,
 * as at the start, it is the better of two endpoints by the requests in flight from here, as with `leastRequests`.
 * Weights count there only.
 *
 * @throws InvalidOptionError
 */
export function prequal(options: PrequalOptions): PolicyFactory {
  knownOptions('prequal', options, optionNames);
  const { probe, probesPerPick = 3, poolSize = 16, maxAgeMs = 1_000, coldPart = 2 ** -0.25 } = options;
  if (typeof probe !== 'function') {
    throw new InvalidOptionError('probe', `\`probe\` must be a function, got ${describe(probe)}`);
  }
  const settings: Settings = {
    probe,
    penaltyMs: penaltyOption(options),
    probesPerPick: numberOption('probesPerPick', probesPerPick, { above: 0 }),
    poolSize: integerOption('poolSize', poolSize, { min: 2, max: 1_024 }),
    maxAgeMs: numberOption('maxAgeMs', maxAgeMs, { above: 0 }),
    coldPart: numberOption('coldPart', coldPart, { min: 0, max: 1 }),
  };
  return () => new Prequal(settings);
}

type Settings = Required<PrequalOptions>;

class Prequal<E extends Endpoint> implements Policy<E>, Probing<E> {
  readonly probe: Probe;
  readonly timeoutMs: number;
  readonly #penaltyMs: number;
  readonly #probesPerPick: number;
  readonly #pool: ProbePool<E>;
  readonly #failures: HeldFailures<E>;
  readonly #fallback: Policy<E>;
  #candidates: readonly Candidate<E>[] = [];
  /** Probes that picks have earned and that were not asked for yet. */
  #due = 0;
  #now = 0;

  constructor({ probe, probesPerPick, poolSize, maxAgeMs, coldPart, penaltyMs }: Settings) {
    this.probe = probe;
    this.timeoutMs = maxAgeMs;
    this.#penaltyMs = penaltyMs;
    this.#probesPerPick = probesPerPick;
    this.#fallback = leastRequests({ penaltyMs })<E>();
    this.#failures = new HeldFailures(penaltyMs);
    this.#pool = new ProbePool({ size: poolSize, maxAgeMs, coldPart, probesPerPick });
  }

  get probing(): Probing<E> {
    return this;
  }

  update(eligible: readonly Candidate<E>[]): void {
    this.#candidates = eligible;
    this.#fallback.update(eligible);
    this.#failures.retain(eligible);
    this.#pool.retain(eligible);
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    this.#now = request.now;
    this.#due = Math.min(this.#due + this.#probesPerPick, this.#candidates.length);
    return this.#pool.take(request, this.#held) ?? this.#fallback.pick(request);
  }

  settled(candidate: Candidate<E>, outcome: Outcome, now: number): void {
    if (outcome.ok) return;
    this.#failures.add(candidate, outcome, now);
    this.#fallback.settled?.(candidate, outcome, now);
  }

  next(random: Random): Candidate<E> | undefined {
    if (this.#due < 1) return undefined;
    this.#due--;
    return this.#candidates[Math.floor(random() * this.#candidates.length)];
  }

  probed(candidate: Candidate<E>, load: Load, now: number): void {
    this.#pool.add(candidate, load, now);
  }

  readonly #held = (candidate: Candidate<E>): Load => {
    if (this.#failures.isEmpty) return none;
    const inFlight = this.#failures.of(candidate, this.#now);
    return inFlight === 0 ? none : { inFlight, latencyMs: inFlight * this.#penaltyMs };
  };
}

const none: Load = { inFlight: 0, latencyMs: 0 };
