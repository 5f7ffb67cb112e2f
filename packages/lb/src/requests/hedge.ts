import { InvalidOptionError, integerOption, knownOptions, numberOption } from '@ashlar/core';

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

export interface HedgeSettings {
  /** Absent when it follows the percentile. */
  readonly delayMs: number | undefined;
  readonly percentile: number;
  readonly max: number;
  readonly budgetPercent: number;
  readonly budgetPerSecond: number;
}

/** @throws InvalidOptionError */
export function hedgeSettings(options: HedgeOptions): HedgeSettings {
  knownOptions('hedge', options, ['delayMs', 'percentile', 'max', 'budgetPercent', 'budgetPerSecond']);
  const { delayMs, percentile, max = 1, budgetPercent = 10, budgetPerSecond = 1 } = options;
  if (delayMs !== undefined && percentile !== undefined) {
    throw new InvalidOptionError('hedge.percentile', '`hedge` takes `delayMs` or `percentile`, not both');
  }
  if (delayMs !== undefined) numberOption('hedge.delayMs', delayMs, { min: 0 });
  if (percentile !== undefined) belowHundred(numberOption('hedge.percentile', percentile, { above: 0 }));
  return {
    delayMs,
    percentile: percentile ?? 95,
    max: integerOption('hedge.max', max, { min: 1 }),
    budgetPercent: numberOption('hedge.budgetPercent', budgetPercent, { min: 0 }),
    budgetPerSecond: numberOption('hedge.budgetPerSecond', budgetPerSecond, { min: 0 }),
  };
}

function belowHundred(percentile: number): void {
  if (percentile < 100) return;
  throw new InvalidOptionError(
    'hedge.percentile',
    `\`hedge.percentile\` must be below 100, got ${percentile}`,
  );
}
