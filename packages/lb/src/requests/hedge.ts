import {
  durationMs,
  InvalidOptionError,
  integer,
  number,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
} from '@ashlar/core';
import type { Request } from '../request.ts';
import { percent } from '../util/percent.ts';
import { RetryBudget } from './retry.ts';

/**
 * When a request that takes long is also sent to another endpoint while the first is still awaited. Only `idempotent`
 * requests are hedged.
 */
export interface HedgeOptions {
  /** A fixed delay before a hedge, in milliseconds. Not together with `percentile`. */
  readonly delayMs?: number;
  /**
   * The delay before a hedge as a percentile of recent latencies, above 1 and below 100; at least 1 ms. Nothing is hedged
   * until 20 requests have been answered. (Backup requests, Dean and Barroso, 2013.) Default: 95.
   */
  readonly percentile?: number;
  /** How often one request may be hedged. Default: 1. */
  readonly max?: number;
  /** Hedge budget: hedges as a percentage of the idempotent requests of the last ten seconds. Default: 10. */
  readonly budgetPercent?: number;
  /** Hedges a second on top of that percentage, counted over the same ten seconds. Default: 1. */
  readonly budgetPerSecond?: number;
}

const anyPercentile = /* @__PURE__ */ percent(undefined, { above: 0 }, value => value <= 1);

const belowHundred: Rule<number | undefined> = (value, option) => {
  const percentile = anyPercentile(value, option);
  if (percentile === undefined || percentile < 100) return percentile;
  throw refused(option, 'below 100', percentile);
};

const rules = /* @__PURE__ */ (() =>
  ({
    delayMs: durationMs(),
    percentile: belowHundred,
    max: integer(1, { min: 1 }),
    budgetPercent: percent(10, { min: 0 }),
    budgetPerSecond: number(1, { min: 0 }),
  }) satisfies RulesFor<HedgeOptions>)();

/** When the requests of one balancer are hedged, and how often. */
export class Hedging {
  readonly max: number;
  /** Counts the hedges that were sent and those that were refused. */
  readonly budget: RetryBudget;
  /** Hedges whose answer came first. */
  won = 0;
  readonly #delayMs: number | undefined;
  readonly #latencies: LatencyPercentile | undefined;

  /** @throws InvalidOptionError */
  constructor(options: unknown = {}, option = 'hedge') {
    const settings = readOptions(`\`${option}\``, options, rules, `${option}.`);
    const { delayMs, percentile, max, budgetPercent, budgetPerSecond } = settings;
    if (delayMs !== undefined && percentile !== undefined) {
      const message = `\`${option}\` takes \`delayMs\` or \`percentile\`, not both`;
      throw new InvalidOptionError(`${option}.percentile`, message);
    }
    this.max = max;
    this.budget = new RetryBudget(budgetPercent, budgetPerSecond);
    this.#delayMs = delayMs;
    this.#latencies = delayMs === undefined ? new LatencyPercentile(percentile ?? 95) : undefined;
  }

  /** How long an attempt may take until it is hedged; `undefined` while that is unknown. */
  delayMs(now: number): number | undefined {
    if (this.#latencies === undefined) return this.#delayMs;
    const value = this.#latencies.valueMs(now);
    // Whole milliseconds, so that few lengths of timers are in use
    return value === undefined ? undefined : Math.max(1, Math.ceil(value));
  }

  /**
   * Records the latency of an attempt that was no hedge, or how long it had taken when another one won. Hedges do not
   * count: they happen in slow times only, and those that lose are cut short.
   */
  recordLatency(latencyMs: number, now: number): void {
    this.#latencies?.add(latencyMs, now);
  }
}

export function mayHedge({ idempotent, hedge }: Pick<Request, 'idempotent' | 'hedge'>): boolean {
  return idempotent === true && hedge !== false;
}

/** The ratio of neighboring bucket edges: a percentile is at most 5 % too high. */
const growth = 1.05;
const perLog = 1 / Math.log(growth);
const smallestMs = 0.01;
const buckets = 450;
const generationMs = 15_000;
/** How long a computed percentile is used again. */
const validMs = 250;
const minSamples = 20;

/**
 * A percentile of the latencies of the last 15 to 30 seconds. Counted in buckets that grow by 5 %, in two generations of
 * 15 s, so that neither memory nor time grows with the requests.
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

  /** The percentile or at most 5 % more, in milliseconds; `undefined` until 20 latencies are known. */
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

/** The first bucket whose upper edge is not below the latency. */
function bucketOf(latencyMs: number): number {
  if (!(latencyMs > smallestMs)) return 0;
  return Math.min(buckets - 1, Math.ceil(Math.log(latencyMs / smallestMs) * perLog));
}
