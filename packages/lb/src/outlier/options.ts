import { integerOption, knownOptions, numberOption } from '@ashlar/core';
import { objectOption } from '../util/option-checks.ts';
import {
  type FailurePercentOptions,
  type FailurePercentSettings,
  failurePercentSettings,
} from './failure-percent.ts';
import { type SuccessRateOptions, type SuccessRateSettings, successRateSettings } from './success-rate.ts';

export interface OutlierOptions {
  /** How many requests in a row must fail for an endpoint to be ejected; 5 if absent. */
  readonly consecutiveFailures?: number;
  /** Ejects whose success rate in an interval is far below that of the others; `false` turns it off. */
  readonly successRate?: SuccessRateOptions | false;
  /** Ejects who fails most requests of an interval; `false` turns it off. */
  readonly failurePercent?: FailurePercentOptions | false;
  /** How long requests are counted before these two judge; 10 000 if absent. */
  readonly intervalMs?: number;
  /**
   * How long the first ejection lasts; 30 000 if absent. The second lasts twice that, the third three times, and so on;
   * one time is forgiven for each such span that the endpoint was up. An ejection because the probe failed lasts twice
   * as long as the one before.
   */
  readonly baseEjectionMs?: number;
  /** The longest that an ejection lasts; 300 000 if absent, or `baseEjectionMs` if that is more. */
  readonly maxEjectionMs?: number;
  /**
   * How much of the endpoints may be away, ejected or being probed, above 0; 50 if absent. One may always be, where
   * there are two healthy ones; and never all of these. Above 50, lower `panicPercent` too, or a panic brings them back.
   */
  readonly maxEjectionPercent?: number;
}

export interface OutlierSettings {
  readonly consecutiveFailures: number;
  readonly successRate: SuccessRateSettings | undefined;
  readonly failurePercent: FailurePercentSettings | undefined;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  readonly maxEjectionPercent: number;
}

const names = [
  'consecutiveFailures',
  'successRate',
  'failurePercent',
  'intervalMs',
  'baseEjectionMs',
  'maxEjectionMs',
  'maxEjectionPercent',
];

export function outlierSettings(options: OutlierOptions): OutlierSettings {
  knownOptions('outlier', objectOption('outlier', options), names);
  const { consecutiveFailures = 5, successRate = {}, failurePercent = {}, intervalMs = 10_000 } = options;
  const { baseEjectionMs = 30_000, maxEjectionPercent = 50 } = options;
  const { maxEjectionMs = Math.max(300_000, baseEjectionMs) } = options;
  return {
    consecutiveFailures: integerOption('outlier.consecutiveFailures', consecutiveFailures, { min: 1 }),
    successRate: successRate === false ? undefined : successRateSettings(successRate),
    failurePercent: failurePercent === false ? undefined : failurePercentSettings(failurePercent),
    intervalMs: numberOption('outlier.intervalMs', intervalMs, { above: 0 }),
    baseEjectionMs: numberOption('outlier.baseEjectionMs', baseEjectionMs, { above: 0 }),
    maxEjectionMs: numberOption('outlier.maxEjectionMs', maxEjectionMs, { min: baseEjectionMs }),
    maxEjectionPercent: numberOption('outlier.maxEjectionPercent', maxEjectionPercent, {
      above: 0,
      max: 100,
    }),
  };
}
