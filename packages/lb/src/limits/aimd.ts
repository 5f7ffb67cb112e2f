import { durationMs, number, type RulesFor } from '@ashlar/core';
import {
  type LimitBounds,
  type Limiter,
  type LimitSample,
  limitBounds,
  limitRules,
  readLimiterOptions,
} from './limiter.ts';

export interface AimdOptions extends LimitBounds {
  /** By which factor a failure shrinks the limit, above 0 and at most 1. Default: 0.9. */
  readonly backoff?: number;
  /** A request that took longer counts as a failure, in milliseconds. Default: 5 000. */
  readonly slowMs?: number;
}

type Settings = Required<AimdOptions>;

const rules = /* @__PURE__ */ (() =>
  ({
    ...limitRules,
    backoff: number(0.9, { above: 0, max: 1 }),
    slowMs: durationMs(5_000, { above: 0 }),
  }) satisfies RulesFor<AimdOptions>)();

/**
 * A limit for each endpoint that grows by one for each round of requests that all succeeded, while at least half of it is
 * in use, and shrinks by a factor when a request fails or is too slow: once for all requests that were in flight together
 * (additive increase, multiplicative decrease; Chiu and Jain, 1989).
 *
 * @throws InvalidOptionError
 */
export function aimd(options: AimdOptions = {}): () => Limiter {
  const checked = readLimiterOptions('aimd', options, rules);
  const settings: Settings = { ...checked, ...limitBounds(checked, 'aimd.') };
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
      // Requests from before the last decrease suffered from the limit of that time
      if (now - latencyMs < this.#shrunkAt) return;
      this.#shrunkAt = now;
      this.#limit = Math.max(min, this.#limit * backoff);
    } else if (inFlight >= this.#limit / 2) {
      this.#limit = Math.min(max, this.#limit + 1 / this.#limit);
    }
  }
}
