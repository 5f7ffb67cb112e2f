import { knownOptions, numberOption } from '@ashlar/core';
import type { Limiter, LimitSample } from './limiter.ts';
import { type LimitBounds, limitBounds } from './limiter.ts';

export interface AimdOptions extends LimitBounds {
  /** What is left of the limit after a failure, above 0 and at most 1; 0.9 if absent. */
  readonly backoff?: number;
  /** An answer that took longer counts as a failure; 5 000 if absent. */
  readonly slowMs?: number;
}

type Settings = Required<AimdOptions>;

/**
 * A limit for each endpoint that grows by one for each round of requests that all went well, while at least half of it
 * is in use, and shrinks by a part when one fails or is too slow: once for all requests that were under way together
 * (additive increase, multiplicative decrease; Chiu and Jain, 1989).
 *
 * @throws InvalidOptionError
 */
export function aimd(options: AimdOptions = {}): () => Limiter {
  knownOptions('aimd', options, ['initial', 'min', 'max', 'backoff', 'slowMs']);
  const settings: Settings = {
    ...limitBounds('aimd', options),
    backoff: numberOption('aimd.backoff', options.backoff ?? 0.9, { above: 0, max: 1 }),
    slowMs: numberOption('aimd.slowMs', options.slowMs ?? 5_000, { above: 0 }),
  };
  return () => new Aimd(settings);
}

class Aimd implements Limiter {
  readonly #settings: Settings;
  #limit: number;
  #shrunkAt = -Infinity;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#limit = settings.initial;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  settled({ now, latencyMs, inFlight, dropped }: LimitSample): void {
    const { min, max, backoff, slowMs } = this.#settings;
    if (dropped || latencyMs > slowMs) {
      // Those that began before the last step down suffered from the limit of then
      if (now - latencyMs < this.#shrunkAt) return;
      this.#shrunkAt = now;
      this.#limit = Math.max(min, this.#limit * backoff);
    } else if (inFlight >= this.#limit / 2) {
      this.#limit = Math.min(max, this.#limit + 1 / this.#limit);
    }
  }
}
