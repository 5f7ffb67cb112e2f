import {
  durationMs,
  functionOf,
  integer,
  number,
  type Random,
  type RulesFor,
  readOptions,
  required,
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
import { HeldFailures, type PenaltyOptions, penaltyRules } from './shared/penalty.ts';
import { ProbePool } from './shared/probe-pool.ts';

export interface PrequalOptions extends PenaltyOptions {
  /** Asks an endpoint for its load. The balancer calls it after picks, for a few endpoints each time. */
  readonly probe: Probe;
  /** How many probes are made for a pick. Default: 3. */
  readonly probesPerPick?: number;
  /** How many answers are kept, at least 2. Default: 16. */
  readonly poolSize?: number;
  /** How long an answer is used, and may take, in milliseconds. Default: 1 000. */
  readonly maxAgeMs?: number;
  /** The part of the answers that are cold by their requests in flight, from 0 to 1. Default: 2^-0.25, about 0.84. */
  readonly coldPart?: number;
}

const rules = /* @__PURE__ */ (() =>
  ({
    ...penaltyRules,
    probe: required(functionOf<Probe>(), 'a function that asks an endpoint for its load'),
    probesPerPick: number(3, { above: 0 }),
    poolSize: integer(16, { min: 2, max: 1_024 }),
    maxAgeMs: durationMs(1_000, { above: 0 }),
    coldPart: number(2 ** -0.25, { min: 0, max: 1 }),
  }) satisfies RulesFor<PrequalOptions>)();

/**
 * Chooses by the load that endpoints report themselves, so that load from all clients counts (Prequal; Wydrowski,
 * Kleinberg, Rumble and Archer, 2024). Of the latest answers to probes, those with many requests in flight are hot, the rest
 * cold. Of the cold ones the one with the lowest latency takes the request; if none is cold, the one with the fewest
 * requests in flight.
 *
 * A failure keeps counting as in flight and as latency, for `penaltyMs` on average. With fewer than two usable answers, as
 * at the start, the choice is that of `leastRequests`. Weights count there only.
 *
 * @throws InvalidOptionError
 */
export function prequal(options: PrequalOptions): PolicyFactory {
  const settings = readOptions('prequal', options, rules);
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
  /** Probes that are due for past picks. */
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
