import { integerOption, knownOptions, numberOption } from '@ashlar/core';
import type { Limiter, LimitSample } from './limiter.ts';
import { type LimitBounds, limitBounds } from './limiter.ts';

export interface Gradient2Options extends LimitBounds {
  /** How many more than it can serve an endpoint may have waiting; the limit grows by up to this at a time. 4 if absent. */
  readonly queue?: number;
  /** How much of each new limit is taken over, above 0 and at most 1; 0.2 if absent. */
  readonly smoothing?: number;
  /** How many times the usual latency is still well; 1.5 if absent. */
  readonly tolerance?: number;
  /** Over how many windows the usual latency is averaged, exponentially; 600 if absent. */
  readonly longWindow?: number;
  /** The limit is looked at so often, and not before `windowSamples` requests have ended; 1 000 if absent. */
  readonly windowMs?: number;
  /** 10 if absent. */
  readonly windowSamples?: number;
}

type Settings = Required<Gradient2Options>;

/**
 * A limit for each endpoint that grows while its latency stays near the usual, and shrinks when it rises above (Gradient2
 * of Netflix's concurrency-limits, fed with the averages of windows). It needs no number to be known beforehand, but
 * adapts to lasting changes of latency, so set `max` to what must never be exceeded.
 *
 * A failure that came quicker than the usual answer says nothing of load and is left out; a slow one, as a deadline,
 * counts as the latency that it took.
 *
 * @throws InvalidOptionError
 */
export function gradient2(options: Gradient2Options = {}): () => Limiter {
  knownOptions('gradient2', options, names);
  const settings: Settings = {
    ...limitBounds('gradient2', options),
    queue: numberOption('gradient2.queue', options.queue ?? 4, { above: 0 }),
    smoothing: numberOption('gradient2.smoothing', options.smoothing ?? 0.2, { above: 0, max: 1 }),
    tolerance: numberOption('gradient2.tolerance', options.tolerance ?? 1.5, { min: 1 }),
    longWindow: integerOption('gradient2.longWindow', options.longWindow ?? 600, { min: 1 }),
    windowMs: numberOption('gradient2.windowMs', options.windowMs ?? 1_000, { min: 0 }),
    windowSamples: integerOption('gradient2.windowSamples', options.windowSamples ?? 10, { min: 1 }),
  };
  return () => new Gradient2(settings);
}

const names = [
  'initial',
  'min',
  'max',
  'queue',
  'smoothing',
  'tolerance',
  'longWindow',
  'windowMs',
  'windowSamples',
];

/** Averages of so many first windows are plain: an exponential one would hang on to the very first. */
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
    // After a time of overload the average is too high for long: it comes down faster than it went up
    if (usualMs > 2 * latencyMs) this.#usualMs *= 0.95;
    // A limit that is not made use of is not known to be bearable
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
