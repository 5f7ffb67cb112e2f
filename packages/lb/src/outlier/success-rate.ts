import { integer, number, type Rule, type RulesFor, record } from '@ashlar/core';
import { failureRate, type Outlier, type Tally, total } from './interval.ts';

export interface SuccessRateOptions {
  /**
   * How many endpoints must have had `minRequests` before their rates are compared. Of fewer than five, none can be 1.9
   * standard deviations from the mean, however bad. Default: 5.
   */
  readonly minEndpoints?: number;
  /** How many requests of the interval must have ended before an endpoint is judged. Default: 100. */
  readonly minRequests?: number;
  /** How many standard deviations below the mean an endpoint must be. Default: 1.9. */
  readonly stdevFactor?: number;
  /**
   * How many percentage points below the mean an endpoint must be as well. Where nearly all requests succeed the deviation
   * is small; at 0, which is Envoy's rule, one failure of a hundred would eject. Default: 5.
   */
  readonly tolerancePercent?: number;
}

export type SuccessRateSettings = Required<SuccessRateOptions>;

const rules = /* @__PURE__ */ (() =>
  ({
    minEndpoints: integer(5, { min: 2 }),
    minRequests: integer(100, { min: 1 }),
    stdevFactor: number(1.9, { min: 0 }),
    tolerancePercent: number(5, { min: 0, max: 100 }),
  }) satisfies RulesFor<SuccessRateOptions>)();

export const successRateRule: Rule<SuccessRateSettings> = /* @__PURE__ */ record(rules);

/** Absorbs rounding: endpoints of equal rates are equal. */
const epsilon = 1e-9;

/** The endpoints whose success rate is too far below the mean (Envoy's `success_rate`), the worst first. */
export function successRateOutliers<T>(
  tallies: readonly Tally<T>[],
  { minEndpoints, minRequests, stdevFactor, tolerancePercent }: SuccessRateSettings,
): Outlier<T>[] {
  const judged = tallies.filter(tally => total(tally) >= minRequests);
  if (judged.length < minEndpoints) return [];
  const rates = judged.map(tally => ({ of: tally.of, rate: 100 - failureRate(tally) }));
  const mean = rates.reduce((sum, { rate }) => sum + rate, 0) / rates.length;
  const variance = rates.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0) / rates.length;
  const threshold = Math.min(mean - stdevFactor * Math.sqrt(variance), mean - tolerancePercent);
  return rates
    .filter(({ rate }) => rate < threshold - epsilon)
    .sort((a, b) => a.rate - b.rate)
    .map(({ of, rate }) => ({
      of,
      reason: `a success rate of ${percent(rate)}, below ${percent(threshold)}`,
    }));
}

function percent(value: number): string {
  return `${Number(value.toFixed(1))} %`;
}
