import { integer, type Rule, type RulesFor, record } from '@ashlar/core';
import { percent } from '../util/percent.ts';
import { failureRate, type Outlier, type Tally, total } from './interval.ts';

export interface FailurePercentOptions {
  /** The percentage of failures from which an endpoint is ejected, above 0. Default: 85. */
  readonly threshold?: number;
  /**
   * How many endpoints must have had `minRequests` before any is judged. Default: 1, where Envoy has 5: a percentage needs
   * no comparison, and the ejection limit keeps the last endpoint in.
   */
  readonly minEndpoints?: number;
  /** How many requests of the interval must have ended before an endpoint is judged. Default: 20, where Envoy has 50. */
  readonly minRequests?: number;
}

export type FailurePercentSettings = Required<FailurePercentOptions>;

const rules = /* @__PURE__ */ (() =>
  ({
    threshold: percent(85, { above: 0, max: 100 }),
    minEndpoints: integer(1, { min: 1 }),
    minRequests: integer(20, { min: 1 }),
  }) satisfies RulesFor<FailurePercentOptions>)();

export const failurePercentRule: Rule<FailurePercentSettings> = /* @__PURE__ */ record(rules);

/** The endpoints that failed this percentage of their requests (Envoy's `failure_percentage`), the worst first. */
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
