import { integerOption, knownOptions, numberOption } from '@ashlar/core';
import { objectOption } from '../util/option-checks.ts';
import { failureRate, type Outlier, type Tally, total } from './interval.ts';

export interface SuccessRateOptions {
  /**
   * How many endpoints must have had `minRequests` for their rates to be compared; 5 if absent. Of fewer than five none
   * can be 1.9 standard deviations from the mean, however bad.
   */
  readonly minEndpoints?: number;
  /** How many requests of the interval must have ended for an endpoint to be judged; 100 if absent. */
  readonly minRequests?: number;
  /** How many standard deviations below the mean an endpoint must be; 1.9 if absent. */
  readonly stdevFactor?: number;
  /**
   * And how many points of percent; 5 if absent. Where nearly all is well the deviation is small, and at 0, which is
   * Envoy's rule, one failure of a hundred would eject.
   */
  readonly tolerancePercent?: number;
}

export type SuccessRateSettings = Required<SuccessRateOptions>;

export function successRateSettings(options: SuccessRateOptions): SuccessRateSettings {
  const names = ['minEndpoints', 'minRequests', 'stdevFactor', 'tolerancePercent'];
  knownOptions('outlier.successRate', objectOption('outlier.successRate', options), names);
  const { minEndpoints = 5, minRequests = 100, stdevFactor = 1.9, tolerancePercent = 5 } = options;
  const named = (name: string) => `outlier.successRate.${name}`;
  return {
    minEndpoints: integerOption(named('minEndpoints'), minEndpoints, { min: 2 }),
    minRequests: integerOption(named('minRequests'), minRequests, { min: 1 }),
    stdevFactor: numberOption(named('stdevFactor'), stdevFactor, { min: 0 }),
    tolerancePercent: numberOption(named('tolerancePercent'), tolerancePercent, { min: 0, max: 100 }),
  };
}

/** Absorbs rounding: endpoints of equal rates are equal. */
const epsilon = 1e-9;

/** Those whose success rate is too far below the mean of all (Envoy's `success_rate`), the worst first. */
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
