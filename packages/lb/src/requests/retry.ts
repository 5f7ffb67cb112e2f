import { integerOption, knownOptions, numberOption } from '@ashlar/core';

export interface RetryOptions {
  /** How many times a request is tried in all, each time on another endpoint; 3 if absent. */
  readonly attempts?: number;
  /** How long one attempt may take before it counts as failed; no limit of its own if absent. */
  readonly attemptTimeoutMs?: number;
  /** Retries may be so many percent of the requests of the last ten seconds; 20 if absent. */
  readonly budgetPercent?: number;
  /** And so many a second on top, counted over the same ten seconds; 10 if absent. */
  readonly budgetPerSecond?: number;
}

export interface RetrySettings {
  readonly attempts: number;
  readonly attemptTimeoutMs: number | undefined;
  readonly budgetPercent: number;
  readonly budgetPerSecond: number;
}

export function retrySettings(options: RetryOptions): RetrySettings {
  knownOptions('retry', options, ['attempts', 'attemptTimeoutMs', 'budgetPercent', 'budgetPerSecond']);
  const { attempts = 3, attemptTimeoutMs, budgetPercent = 20, budgetPerSecond = 10 } = options;
  return {
    attempts: integerOption('retry.attempts', attempts, { min: 1 }),
    attemptTimeoutMs:
      attemptTimeoutMs === undefined
        ? undefined
        : numberOption('retry.attemptTimeoutMs', attemptTimeoutMs, { above: 0 }),
    budgetPercent: numberOption('retry.budgetPercent', budgetPercent, { min: 0 }),
    budgetPerSecond: numberOption('retry.budgetPerSecond', budgetPerSecond, { min: 0 }),
  };
}
