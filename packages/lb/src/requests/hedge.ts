import { InvalidOptionError, integerOption, knownOptions, numberOption } from '@ashlar/core';
import type { Request } from '../request.ts';
import { RetryBudget } from './retry.ts';

/**
 * When a request that takes long is also sent to another endpoint, while the first is still awaited. Only what is
 * `idempotent` is.
 */
export interface HedgeOptions {
  /** After this time. Not together with `percentile`. */
  readonly delayMs?: number;
  /**
   * After as long as so many percent of the recent requests took, at least 1 ms; above 0 and below 100, 95 if absent.
   * Nothing is hedged until 20 have been answered. (Backup requests, Dean and Barroso, 2013.)
   */
  readonly percentile?: number;
  /** How often one request may be hedged; 1 if absent. */
  readonly max?: number;
  /** Hedges may be so many percent of the idempotent requests of the last ten seconds; 10 if absent. */
  readonly budgetPercent?: number;
  /** And so many a second on top, counted over the same ten seconds; 1 if absent. */
  readonly budgetPerSecond?: number;
}

/** When the requests of one balancer are hedged, and how often. */
export class Hedging {
  readonly max: number;
  /** Hedges that were sent and refused are what it has spent and refused. */
  readonly budget: RetryBudget;
  /** Hedges whose answer came first. */
  won = 0;
  readonly #delayMs: number | undefined;
  readonly #latencies: LatencyPercentile | undefined;

  /** @throws InvalidOptionError */
  constructor(options: HedgeOptions) {
    knownOptions('hedge', options, ['delayMs', 'percentile', 'max', 'budgetPercent', 'budgetPerSecond']);
    const { delayMs, percentile, max = 1, budgetPercent = 10, budgetPerSecond = 1 } = options;
    if (delayMs !== undefined && percentile !== undefined) {
      throw new InvalidOptionError('hedge.percentile', '`hedge` takes `delayMs` or `percentile`, not both');
    }
    if (delayMs !== undefined) numberOption('hedge.delayMs', delayMs, { min: 0 });
    if (percentile !== undefined) belowHundred(numberOption('hedge.percentile', percentile, { above: 0 }));
    this.max = integerOption('hedge.max', max, { min: 1 });
    this.budget = new RetryBudget(
      numberOption('hedge.budgetPercent', budgetPercent, { min: 0 }),
      numberOption('hedge.budgetPerSecond', budgetPerSecond, { min: 0 }),
    );
    this.#delayMs = delayMs;
    this.#latencies = delayMs === undefined ? new LatencyPercentile(percentile ?? 95) : undefined;
  }

  /** How long an attempt may take until it is hedged; `undefined` while that is not known. */
  delayMs(now: number): number | undefined {
    if (this.#latencies === undefined) return this.#delayMs;
    const value = this.#latencies.valueMs(now);
    // Whole milliseconds, so that few lengths of timers are in use
    return value === undefined ? undefined : Math.max(1, Math.ceil(value));
  }

  /**
   * An attempt that was no hedge took so long, or at least so long when another was quicker. Hedges do not count: they
   * are of the slow times only, and those that lose would have been cut short.
   */
  recordLatency(latencyMs: number, now: number): void {
    this.#latencies?.add(latencyMs, now);
  }
}

export function mayHedge({ idempotent, hedge }: Pick<Request, 'idempotent' | 'hedge'>): boolean {
  return idempotent === true && hedge !== false;
}

function belowHundred(percentile: number): void {
  if (percentile < 100) return;
  throw new InvalidOptionError(
    'hedge.percentile',
    `\`hedge.percentile\` must be below 100, got ${percentile}`,
  );
}

/** Edges of the buckets are so far apart that a percentile is at most 5 % too high. */
const growth = 1.05;
const perLog = 1 / Math.log(growth);
const smallestMs = 0.01;
const buckets = 450;
const generationMs = 15_000;
/** How long a percentile that was counted out is used again. */
const validMs = 250;
const minSamples = 20;

/**
 * How long the requests of the last 15 to 30 seconds took, as one percentile. Counted in buckets that grow by 5 %, in
 * two generations of 15 s, so that neither memory nor time grows with the requests.
 */
export class LatencyPercentile {
  readonly #percentile: number;
  #recent = new Uint32Array(buckets);
  #recentCount = 0;
  #before = new Uint32Array(buckets);
  #beforeCount = 0;
  #generation = -Infinity;
  #known: number | undefined;
  #knownAt = -Infinity;

  constructor(percentile: number) {
    this.#percentile = percentile;
  }

  add(latencyMs: number, now: number): void {
    this.#age(now);
    this.#recent[bucketOf(latencyMs)]!++;
    this.#recentCount++;
  }

  /** At least the time that so many percent took, and at most 5 % more; `undefined` until 20 are known. */
  valueMs(now: number): number | undefined {
    if (now < this.#knownAt + validMs) return this.#known;
    this.#age(now);
    this.#knownAt = now;
    this.#known = this.#count();
    return this.#known;
  }

  #count(): number | undefined {
    const count = this.#recentCount + this.#beforeCount;
    if (count < minSamples) return undefined;
    let left = Math.ceil((count * this.#percentile) / 100);
    for (let bucket = 0; ; bucket++) {
      left -= this.#recent[bucket]! + this.#before[bucket]!;
      if (left <= 0 || bucket === buckets - 1) return smallestMs * growth ** bucket;
    }
  }

  #age(now: number): void {
    const generation = Math.floor(now / generationMs);
    if (generation === this.#generation) return;
    const isNext = generation === this.#generation + 1;
    this.#generation = generation;
    [this.#recent, this.#before] = [this.#before, this.#recent];
    this.#beforeCount = isNext ? this.#recentCount : 0;
    if (!isNext) this.#before.fill(0);
    this.#recent.fill(0);
    this.#recentCount = 0;
  }
}

/** The first whose upper edge is not below the latency. */
function bucketOf(latencyMs: number): number {
  if (!(latencyMs > smallestMs)) return 0;
  return Math.min(buckets - 1, Math.ceil(Math.log(latencyMs / smallestMs) * perLog));
}
