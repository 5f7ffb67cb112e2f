import { integerOption, knownOptions, numberOption } from '@ashlar/core';

export interface RetryOptions {
  /** How many times a request is tried in all, each time on another endpoint; 3 if absent. */
  readonly attempts?: number;
  /** How long one attempt may take before it counts as failed; no limit of its own if absent. */
  readonly attemptTimeoutMs?: number;
  /** Retries may be so many percent of the requests of the last ten seconds; 20 if absent. */
  readonly budgetPercent?: number;
  /** And so many a second on top, counted over the same ten seconds; 10 if absent. */
  readonly budgetPerSecond?: number;
}

/** When the requests of one balancer are retried, and how often. */
export class Retrying {
  readonly attempts: number;
  readonly attemptTimeoutMs: number | undefined;
  readonly budget: RetryBudget;

  /** @throws InvalidOptionError */
  constructor(options: RetryOptions) {
    knownOptions('retry', options, ['attempts', 'attemptTimeoutMs', 'budgetPercent', 'budgetPerSecond']);
    const { attempts = 3, attemptTimeoutMs, budgetPercent = 20, budgetPerSecond = 10 } = options;
    this.attempts = integerOption('retry.attempts', attempts, { min: 1 });
    if (attemptTimeoutMs !== undefined)
      numberOption('retry.attemptTimeoutMs', attemptTimeoutMs, { above: 0 });
    this.attemptTimeoutMs = attemptTimeoutMs;
    this.budget = new RetryBudget(
      numberOption('retry.budgetPercent', budgetPercent, { min: 0 }),
      numberOption('retry.budgetPerSecond', budgetPerSecond, { min: 0 }),
    );
  }
}

/**
 * Bounds extra attempts, retries or hedges, so that a failing service is not asked many times over: in any ten seconds
 * they are at most so many percent of the requests, and a fixed number a second on top, so that a quiet service has some
 * too (after Finagle's RetryBudget). Counts by the second, in whole seconds of the clock.
 */
export class RetryBudget {
  /** Extra attempts in all. */
  spent = 0;
  /** Extra attempts that were not made for want of budget. */
  refused = 0;
  readonly #percent: number;
  readonly #perSecond: number;
  readonly #requests: number[] = new Array<number>(windowSeconds).fill(0);
  readonly #extra: number[] = new Array<number>(windowSeconds).fill(0);
  #requestsInWindow = 0;
  #extraInWindow = 0;
  #second = 0;

  constructor(percent: number, perSecond: number) {
    this.#percent = percent;
    this.#perSecond = perSecond;
  }

  /** A request came; called once for each, not for its further attempts. */
  request(now: number): void {
    this.#moveTo(now);
    this.#requests[this.#second % windowSeconds]!++;
    this.#requestsInWindow++;
  }

  allows(now: number): boolean {
    this.#moveTo(now);
    const allowed = (this.#requestsInWindow * this.#percent) / 100 + this.#perSecond * windowSeconds;
    return this.#extraInWindow + 1 <= allowed;
  }

  spend(now: number): void {
    this.#moveTo(now);
    this.#extra[this.#second % windowSeconds]!++;
    this.#extraInWindow++;
    this.spent++;
  }

  /** Empties the seconds that have passed since the last call. */
  #moveTo(now: number): void {
    const second = Math.floor(now / 1000);
    const passed = Math.min(second - this.#second, windowSeconds);
    for (let step = 1; step <= passed; step++) {
      const slot = (second - passed + step) % windowSeconds;
      this.#requestsInWindow -= this.#requests[slot]!;
      this.#extraInWindow -= this.#extra[slot]!;
      this.#requests[slot] = 0;
      this.#extra[slot] = 0;
    }
    if (passed > 0) this.#second = second;
  }
}

const windowSeconds = 10;
