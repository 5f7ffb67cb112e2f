import { readOptions } from '../options/options.ts';
import { durationMs, type RulesFor, random, required } from '../options/rules.ts';
import type { Random } from '../random.ts';

export interface BackoffLimits {
  /** The longest pause after the first failure, in milliseconds; it doubles with each further one. */
  readonly firstMs: number;
  /** The longest pause of all, in milliseconds. */
  readonly maxMs: number;
}

const rules = {
  firstMs: required(durationMs()),
  maxMs: required(durationMs()),
} satisfies RulesFor<BackoffLimits>;
const anyRandom = random();

/**
 * Exponential back-off with full jitter: the pause after failure n is drawn evenly between 0 and
 * `min(maxMs, firstMs · 2^(n−1))`, so that many clients that failed together do not come back together (Brooker,
 * "Exponential Backoff and Jitter", 2015).
 */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: Random;
  #failures: number;

  /**
   * @param failures how many there were before
   * @throws InvalidOptionError
   */
  constructor(limits: BackoffLimits, random?: Random, failures = 0) {
    this.#limits = readOptions('Backoff', limits, rules);
    this.#random = anyRandom(random, 'random');
    this.#failures = failures;
  }

  /** Failures since the start or the last `reset`. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts one more failure and returns how long to pause before the next attempt, in milliseconds. */
  nextMs(): number {
    const { firstMs, maxMs } = this.#limits;
    const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures, 1_000));
    this.#failures++;
    return ceiling * this.#drawn();
  }

  /** Begins anew, after a success. */
  reset(): void {
    this.#failures = 0;
  }

  /** What is tried again must not end with a source of randomness that fails: then the pause is the longest. */
  #drawn(): number {
    try {
      const drawn = this.#random();
      return drawn >= 0 && drawn <= 1 ? drawn : 1;
    } catch {
      return 1;
    }
  }
}
