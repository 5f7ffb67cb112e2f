import {
  boolean,
  durationMs,
  functionOf,
  integer,
  type Rule,
  type RulesFor,
  record,
  required,
} from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import { percent } from '../util/percent.ts';
import type { HealthCheck } from './check.ts';

export interface HealthOptions<E extends Endpoint = Endpoint> {
  /** Checks one endpoint, as `httpCheck()` does. */
  readonly check: HealthCheck<E>;
  /** The time from the end of a check of an endpoint to the start of the next, in milliseconds. Default: 5 000. */
  readonly intervalMs?: number;
  /** How long a check may take before it counts as failed, even if it ignores its signal, in milliseconds. Default: 2 000. */
  readonly timeoutMs?: number;
  /** How many checks in a row must succeed before an unhealthy endpoint takes requests again. Default: 2. */
  readonly healthyAfter?: number;
  /** How many checks in a row must fail before an endpoint becomes unhealthy and takes no requests. Default: 3. */
  readonly unhealthyAfter?: number;
  /** By which percentage an interval is randomly longer or shorter, so that checks spread. Default: 10. */
  readonly jitterPercent?: number;
  /**
   * Whether a new endpoint takes requests before its first check has ended. If false, that check alone decides. While no
   * endpoint has had its first check, all take requests. Default: true.
   */
  readonly serveUnchecked?: boolean;
  /**
   * Whether `healthyAfter` checks in a row, all begun after an ejection, end it early, so that the next request to the
   * endpoint is its probe. Default: false, as an endpoint is often ejected because its requests fail while its checks
   * succeed.
   */
  readonly endsEjection?: boolean;
}

export type HealthSettings<E extends Endpoint = Endpoint> = Required<HealthOptions<E>>;

const rules = /* @__PURE__ */ (() =>
  ({
    check: required(
      functionOf<HealthCheck>('write `check: httpCheck()` or a function of your own'),
      'a function, such as `httpCheck()`',
    ),
    intervalMs: durationMs(5_000, { above: 0 }),
    timeoutMs: durationMs(2_000, { above: 0 }),
    healthyAfter: integer(2, { min: 1 }),
    unhealthyAfter: integer(3, { min: 1 }),
    jitterPercent: percent(10, { min: 0, max: 100 }),
    serveUnchecked: boolean(true),
    endsEjection: boolean(false),
  }) satisfies RulesFor<HealthOptions>)();

export const healthRule: Rule<HealthSettings> = /* @__PURE__ */ record(rules);
