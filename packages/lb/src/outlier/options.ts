import { integerOption, knownOptions, numberOption } from '@ashlar/core';

export interface OutlierOptions {
  /** How many requests in a row must fail for an endpoint to be ejected; 5 if absent. */
  readonly consecutiveFailures?: number;
  /**
   * How long the first ejection lasts; 30 000 if absent. The second lasts twice that, and so on; one time is forgiven
   * for each such span that the endpoint was up.
   */
  readonly baseEjectionMs?: number;
  /** The longest that an ejection lasts; 300 000 if absent, or `baseEjectionMs` if that is more. */
  readonly maxEjectionMs?: number;
  /**
   * How much of the endpoints may be away, ejected or being probed, above 0; 50 if absent. One may always be, where
   * there are two; and never all.
   */
  readonly maxEjectionPercent?: number;
}

export interface OutlierSettings {
  readonly consecutiveFailures: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  readonly maxEjectionPercent: number;
}

export function outlierSettings(options: OutlierOptions): OutlierSettings {
  knownOptions('outlier', options, [
    'consecutiveFailures',
    'baseEjectionMs',
    'maxEjectionMs',
    'maxEjectionPercent',
  ]);
  const baseEjectionMs = numberOption('outlier.baseEjectionMs', options.baseEjectionMs ?? 30_000, {
    above: 0,
  });
  return {
    consecutiveFailures: integerOption('outlier.consecutiveFailures', options.consecutiveFailures ?? 5, {
      min: 1,
    }),
    baseEjectionMs,
    maxEjectionMs: numberOption(
      'outlier.maxEjectionMs',
      options.maxEjectionMs ?? Math.max(300_000, baseEjectionMs),
      {
        min: baseEjectionMs,
      },
    ),
    maxEjectionPercent: numberOption('outlier.maxEjectionPercent', options.maxEjectionPercent ?? 50, {
      above: 0,
      max: 100,
    }),
  };
}
