import { durationMs, integer, orFalse, type Rule, type RulesFor, record, refused } from '@ashlar/core';
import { percent } from '../util/percent.ts';
import {
  type FailurePercentOptions,
  type FailurePercentSettings,
  failurePercentRule,
} from './failure-percent.ts';
import { type SuccessRateOptions, type SuccessRateSettings, successRateRule } from './success-rate.ts';

export interface OutlierOptions {
  /** How many requests in a row must fail to eject an endpoint. Default: 5. */
  readonly consecutiveFailures?: number;
  /** Ejects endpoints whose success rate in an interval is far below the mean; `false` turns it off. Default: on. */
  readonly successRate?: SuccessRateOptions | false;
  /** Ejects endpoints that fail most requests of an interval; `false` turns it off. Default: on. */
  readonly failurePercent?: FailurePercentOptions | false;
  /** The interval over which `successRate` and `failurePercent` count, in milliseconds. Default: 10 000. */
  readonly intervalMs?: number;
  /**
   * How long the first ejection lasts, in milliseconds. The second lasts twice that, the third three times, and so on; for
   * each such span that the endpoint is up, one ejection is forgiven. An ejection for a failed probe lasts twice as long as
   * the one before. Default: 30 000.
   */
  readonly baseEjectionMs?: number;
  /**
   * The longest ejection, in milliseconds, unless the endpoint asks for a longer one by `Retry-After`. Default: 300 000, or
   * `baseEjectionMs` if that is more.
   */
  readonly maxEjectionMs?: number;
  /**
   * The largest percentage of the endpoints that may be ejected or probed at a time, above 0. Where two are healthy, one may
   * always be ejected; never all healthy ones are. Above 50, lower `panicPercent` too, or a panic brings them back.
   * Default: 50.
   */
  readonly maxEjectionPercent?: number;
}

export interface OutlierSettings extends Required<Omit<OutlierOptions, 'successRate' | 'failurePercent'>> {
  readonly successRate: SuccessRateSettings | undefined;
  readonly failurePercent: FailurePercentSettings | undefined;
}

const rules = /* @__PURE__ */ (() =>
  ({
    consecutiveFailures: integer(5, { min: 1 }),
    successRate: orFalse(successRateRule),
    failurePercent: orFalse(failurePercentRule),
    intervalMs: durationMs(10_000, { above: 0 }),
    baseEjectionMs: durationMs(30_000, { above: 0 }),
    maxEjectionMs: durationMs(),
    maxEjectionPercent: percent(50, { above: 0, max: 100 }),
  }) satisfies RulesFor<OutlierOptions>)();

const fields = /* @__PURE__ */ record(rules);

export const outlierRule: Rule<OutlierSettings> = (value, option) => {
  const checked = fields(value, option);
  const { baseEjectionMs, maxEjectionMs = Math.max(300_000, baseEjectionMs) } = checked;
  if (maxEjectionMs >= baseEjectionMs) return { ...checked, maxEjectionMs };
  const atLeast = `at least \`baseEjectionMs\`, which is ${baseEjectionMs}`;
  throw refused(`${option}.maxEjectionMs`, atLeast, maxEjectionMs);
};
