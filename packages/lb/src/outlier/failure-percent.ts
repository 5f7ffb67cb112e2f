import { integerOption, knownOptions, numberOption } from '@ashlar/core';
import { objectOption } from '../util/option-checks.ts';
import { failureRate, type Outlier, type Tally, total } from './interval.ts';

export interface FailurePercentOptions {
  /** From what share of failures on an endpoint is ejected, above 0; 85 if absent. */
  readonly threshold?: number;
  /**
   * How many endpoints must have had `minRequests` for any to be judged; 1 if absent, where Envoy has 5: a share needs
   * no comparison, and that the last one stays is the ejection limit's business.
   */
  readonly minEndpoints?: number;
  /** How many requests of the interval must have ended for an endpoint to be judged; 20 if absent, Envoy has 50. */
  readonly minRequests?: number;
}

export type FailurePercentSettings = Required<FailurePercentOptions>;

export function failurePercentSettings(options: FailurePercentOptions): FailurePercentSettings {
  knownOptions('outlier.failurePercent', objectOption('outlier.failurePercent', options), [
    'threshold',
    'minEndpoints',
    'minRequests',
  ]);
  const { threshold = 85, minEndpoints = 1, minRequests = 20 } = options;
  const named = (name: string) => `outlier.failurePercent.${name}`;
  return {
    threshold: numberOption(named('threshold'), threshold, { above: 0, max: 100 }),
    minEndpoints: integerOption(named('minEndpoints'), minEndpoints, { min: 1 }),
    minRequests: integerOption(named('minRequests'), minRequests, { min: 1 }),
  };
}

/** Those that failed so many of their requests (Envoy's `failure_percentage`), the worst first. */
export function failurePercentOutliers<T>(
  tallies: readonly Tally<T>[],
  { threshold, minEndpoints, minRequests }: FailurePercentSettings,
): Outlier<T>[] {
  const judged = tallies.filter(tally => total(tally) >= minRequests);
  if (judged.length < minEndpoints) return [];
  return judged
    .filter(tally => failureRate(tally) >= threshold)
    .sort((a, b) => failureRate(b) - failureRate(a))
    .map(tally => ({ of: tally.of, reason: `${tally.failed} failures of ${total(tally)} requests` }));
}
