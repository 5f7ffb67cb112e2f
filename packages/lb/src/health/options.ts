import { describe, InvalidOptionError, integerOption, knownOptions, numberOption } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import { booleanOption, objectOption } from '../util/option-checks.ts';
import type { HealthCheck } from './check.ts';

export interface HealthOptions<E extends Endpoint = Endpoint> {
  readonly check: HealthCheck<E>;
  /** From the end of a check of an endpoint to the start of the next; 5 000 if absent. */
  readonly intervalMs?: number;
  /** How long a check may take before it has failed, whether or not it heeds its signal; 2 000 if absent. */
  readonly timeoutMs?: number;
  /** How many checks in a row must succeed for an unhealthy endpoint to take requests again; 2 if absent. */
  readonly healthyAfter?: number;
  /** How many checks in a row must fail for an endpoint to take no more requests; 3 if absent. */
  readonly unhealthyAfter?: number;
  /** By how much of itself an interval is longer or shorter, at random, so that checks spread; 10 if absent. */
  readonly jitterPercent?: number;
  /**
   * Whether a new endpoint takes requests before its first check has ended; true if absent. If false that check alone
   * lets it in or not. Where there is nobody else it takes requests all the same, unless `panicPercent` is 0.
   */
  readonly serveUnchecked?: boolean;
  /**
   * Whether `healthyAfter` checks in a row that were begun after an ejection end it before its time, so that the next
   * request to the endpoint is its probe; false if absent, as an endpoint is often ejected because its requests fail
   * while its checks do not.
   */
  readonly endsEjection?: boolean;
}

export type HealthSettings<E extends Endpoint> = Required<HealthOptions<E>>;

const names = [
  'check',
  'intervalMs',
  'timeoutMs',
  'healthyAfter',
  'unhealthyAfter',
  'jitterPercent',
  'serveUnchecked',
  'endsEjection',
];

/** @throws InvalidOptionError */
export function healthSettings<E extends Endpoint>(options: HealthOptions<E>): HealthSettings<E> {
  knownOptions('health', objectOption('health', options), names);
  const { check, intervalMs = 5_000, timeoutMs = 2_000, healthyAfter = 2, unhealthyAfter = 3 } = options;
  const { jitterPercent = 10, serveUnchecked = true, endsEjection = false } = options;
  if (typeof check !== 'function') {
    throw new InvalidOptionError(
      'health.check',
      `\`health.check\` must be a function, got ${describe(check)}`,
    );
  }
  return {
    check,
    intervalMs: numberOption('health.intervalMs', intervalMs, { above: 0 }),
    timeoutMs: numberOption('health.timeoutMs', timeoutMs, { above: 0 }),
    healthyAfter: integerOption('health.healthyAfter', healthyAfter, { min: 1 }),
    unhealthyAfter: integerOption('health.unhealthyAfter', unhealthyAfter, { min: 1 }),
    jitterPercent: numberOption('health.jitterPercent', jitterPercent, { min: 0, max: 100 }),
    serveUnchecked: booleanOption('health.serveUnchecked', serveUnchecked),
    endsEjection: booleanOption('health.endsEjection', endsEjection),
  };
}
