import { durationMs, integer, number, type RulesFor, readOptions } from '@ashlar/core';
import { percent } from '../util/percent.ts';

export interface RetryOptions {
  /** How many attempts a request has in all, each on another endpoint. Default: 3. */
  readonly attempts?: number;
  /** How long one attempt may take before it counts as failed, in milliseconds. Default: no limit of its own. */
  readonly attemptTimeoutMs?: number;
  /** Retry budget: retries as a percentage of the requests of the last ten seconds. Default: 20. */
  readonly budgetPercent?: number;
  /** Retries a second on top of that percentage, counted over the same ten seconds. Default: 10. */
  readonly budgetPerSecond?: number;
}

const rules = /* @__PURE__ */ (() =>
  ({
    attempts: integer(3, { min: 1 }),
    attemptTimeoutMs: durationMs(undefined, { above: 0 }),
    budgetPercent: percent(20, { min: 0 }),
    budgetPerSecond: number(10, { min: 0 }),
  }) satisfies RulesFor<RetryOptions>)();

/** When the requests of one balancer are retried, and how often. */
export class Retrying {
  readonly attempts: number;
  readonly attemptTimeoutMs: number | undefined;
  readonly budget: RetryBudget;

  /** @throws InvalidOptionError */
  constructor(options: unknown = {}, option = 'retry') {
    const settings = readOptions(`\`${option}\``, options, rules, `${option}.`);
    this.attempts = settings.attempts;
    this.attemptTimeoutMs = settings.attemptTimeoutMs;
    this.budget = new RetryBudget(settings.budgetPercent, settings.budgetPerSecond);
  }
}

/**
 * Bounds extra attempts, retries or hedges, so that they do not multiply the load on a failing service: in any ten seconds
 * they are at most a percentage of the requests, plus a fixed number a second, so that a quiet service has some too (after
 * Finagle's RetryBudget). Counts in whole seconds of the clock.
 */
export class RetryBudget {
  /** Extra attempts in all. */
  spent = 0;
  /** Extra attempts that the budget forbade. */
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

  /** Counts a request: once, not for each of its attempts. */
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
