import { durationMs, integer, number, type RulesFor } from '@ashlar/core';
import {
  type LimitBounds,
  type Limiter,
  type LimitSample,
  limitBounds,
  limitRules,
  readLimiterOptions,
} from './limiter.ts';

export interface Gradient2Options extends LimitBounds {
  /** How many requests may queue at an endpoint; the limit grows by up to this number at a time. Default: 4. */
  readonly queue?: number;
  /** The weight of a new limit in the moving average of limits, above 0 and at most 1. Default: 0.2. */
  readonly smoothing?: number;
  /** Up to which multiple of the usual latency the limit does not shrink, at least 1. Default: 1.5. */
  readonly tolerance?: number;
  /** Over how many windows the usual latency is averaged, exponentially. Default: 600. */
  readonly longWindow?: number;
  /** How often the limit is updated at most, in milliseconds. Default: 1 000. */
  readonly windowMs?: number;
  /** How many requests must have ended before the limit is updated. Default: 10. */
  readonly windowSamples?: number;
}

type Settings = Required<Gradient2Options>;

const rules = /* @__PURE__ */ (() =>
  ({
    ...limitRules,
    queue: number(4, { above: 0 }),
    smoothing: number(0.2, { above: 0, max: 1 }),
    tolerance: number(1.5, { min: 1 }),
    longWindow: integer(600, { min: 1 }),
    windowMs: durationMs(1_000),
    windowSamples: integer(10, { min: 1 }),
  }) satisfies RulesFor<Gradient2Options>)();

/**
 * A limit for each endpoint that grows while its latency stays near the usual, and shrinks when it rises above (Gradient2
 * of Netflix's concurrency-limits, fed with the averages of windows). It needs no estimate beforehand. It adapts to lasting
 * changes of latency, so set `max` to what must never be exceeded.
 *
 * A failure that came quicker than the usual answer says nothing about load and is left out. A slow failure, such as a
 * deadline, counts with the latency that it took.
 *
 * @throws InvalidOptionError
 */
export function gradient2(options: Gradient2Options = {}): () => Limiter {
  const checked = readLimiterOptions('gradient2', options, rules);
  const settings: Settings = { ...checked, ...limitBounds(checked, 'gradient2.') };
  return () => new Gradient2(settings);
}

/** The first windows have a plain average: an exponential one would keep too much of the very first. */
const warmup = 10;

class Gradient2 implements Limiter {
  readonly #settings: Settings;
  #limit: number;
  #windowEndsAt = -Infinity;
  #samples = 0;
  #latencySum = 0;
  #maxInFlight = 0;
  #windows = 0;
  #usualMs = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#limit = settings.initial;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  settled({ now, latencyMs, inFlight, dropped }: LimitSample): void {
    if (dropped && (this.#windows === 0 || latencyMs < this.#usualMs)) return;
    const { windowMs, windowSamples } = this.#settings;
    this.#samples++;
    this.#latencySum += latencyMs;
    this.#maxInFlight = Math.max(this.#maxInFlight, inFlight);
    if (now < this.#windowEndsAt || this.#samples < windowSamples) return;
    this.#windowEndsAt = now + windowMs;
    this.#update(this.#latencySum / this.#samples, this.#maxInFlight);
    this.#samples = 0;
    this.#latencySum = 0;
    this.#maxInFlight = 0;
  }

  #update(latencyMs: number, inFlight: number): void {
    const { min, max, queue, smoothing, tolerance } = this.#settings;
    const usualMs = this.#average(latencyMs);
    // After an overload the average stays too high for long: it falls faster than it rose
    if (usualMs > 2 * latencyMs) this.#usualMs *= 0.95;
    // An endpoint may not bear a limit that it never reaches
    if (inFlight < this.#limit / 2) return;
    const gradient = latencyMs > 0 ? Math.max(0.5, Math.min(1, (tolerance * usualMs) / latencyMs)) : 1;
    const aim = this.#limit * gradient + queue;
    this.#limit = Math.max(min, Math.min(max, this.#limit * (1 - smoothing) + aim * smoothing));
  }

  #average(latencyMs: number): number {
    const { longWindow } = this.#settings;
    this.#windows++;
    const share = this.#windows <= warmup ? 1 / this.#windows : 2 / (longWindow + 1);
    this.#usualMs += (latencyMs - this.#usualMs) * share;
    return this.#usualMs;
  }
}
