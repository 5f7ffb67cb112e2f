import type { Request } from '../request.ts';
import { Budget } from './budget.ts';
import type { HedgeSettings } from './hedge.ts';
import { Latencies } from './latencies.ts';

/** When the requests of one balancer are hedged, and how often. */
export class Hedging {
  readonly max: number;
  readonly budget: Budget;
  sent = 0;
  /** Whose answer came first. */
  won = 0;
  /** For want of budget. */
  refused = 0;
  readonly #delayMs: number | undefined;
  readonly #latencies: Latencies | undefined;

  constructor({ delayMs, percentile, max, budgetPercent, budgetPerSecond }: HedgeSettings) {
    this.max = max;
    this.budget = new Budget(budgetPercent, budgetPerSecond);
    this.#delayMs = delayMs;
    this.#latencies = delayMs === undefined ? new Latencies(percentile) : undefined;
  }

  /** How long an attempt may take until it is hedged; `undefined` while that is not known. */
  delayMs(now: number): number | undefined {
    if (this.#latencies === undefined) return this.#delayMs;
    const value = this.#latencies.valueMs(now);
    // Whole milliseconds, so that few lengths of timers are in use
    return value === undefined ? undefined : Math.max(1, Math.ceil(value));
  }

  /**
   * An attempt that was no hedge took so long, or at least so long when another was quicker. Hedges are not told of:
   * they are of the slow times only, and those that lose would have been cut short.
   */
  took(latencyMs: number, now: number): void {
    this.#latencies?.add(latencyMs, now);
  }
}

export function mayHedge({ idempotent, hedge }: Pick<Request, 'idempotent' | 'hedge'>): boolean {
  return idempotent === true && hedge !== false;
}
