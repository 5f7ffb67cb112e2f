import {
  type Checked,
  InvalidOptionError,
  integer,
  isClass,
  type Rule,
  readOptions,
  refused,
  required,
} from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';

/** A request that ended, as limiters see it. */
export interface LimitSample {
  /** When it ended; monotonic, in milliseconds. */
  readonly now: number;
  readonly latencyMs: number;
  /** Requests in flight to the endpoint when it ended, itself included. */
  readonly inFlight: number;
  /** Whether it failed, as by a timeout or a refusal. */
  readonly dropped: boolean;
}

/** Finds out how many requests an endpoint can take at a time. Pure: no timers, no clock of its own. */
export interface Limiter {
  /** At least 1. Read after each sample. */
  readonly limit: number;
  /** Called for every request that ended, except those whose outcome is unknown. */
  settled(sample: LimitSample): void;
}

/** How many requests an endpoint may have in flight: a number, or a limiter of its own. `Infinity` is no limit. */
export type Concurrency<E extends Endpoint = Endpoint> = number | ((endpoint: E) => number | Limiter);

const whole = /* @__PURE__ */ required(
  /* @__PURE__ */ integer(undefined, { min: 1 }),
  'an integer of at least 1',
);

/** A limiter or an integer of at least 1; `undefined` where there is no limit. @throws InvalidOptionError */
export function limitOf<E extends Endpoint>(
  concurrency: Concurrency<E>,
  endpoint: E,
): number | Limiter | undefined {
  const limit = typeof concurrency === 'function' ? concurrency(endpoint) : concurrency;
  if (limit === Number.POSITIVE_INFINITY) return undefined;
  return isLimiter(limit) ? limit : whole(limit, 'concurrency');
}

/** Default: no limit. */
export const concurrencyRule: Rule<Concurrency> = (value = Number.POSITIVE_INFINITY, option) => {
  if ((typeof value === 'function' && !isClass(value)) || value === Number.POSITIVE_INFINITY)
    return value as Concurrency;
  if (typeof value === 'number') return whole(value, option);
  throw refused(option, expected, value, given => {
    if (typeof given === 'function') return `write \`() => new ${given.name}()\``;
    return isLimiter(given) ? 'each endpoint has a limiter of its own: write `() => limiter`' : undefined;
  });
};

const expected = 'a number or a function of the endpoint';

/** The options of a limiter, which is called with an endpoint where its user did not call it. @throws InvalidOptionError */
export function readLimiterOptions<R extends Readonly<Record<string, Rule<unknown>>>>(
  name: string,
  options: object,
  rules: R,
): Checked<R> {
  if (typeof options !== 'object' || options === null || !('id' in options)) {
    return readOptions(name, options, rules, `${name}.`);
  }
  const text = `\`concurrency\` must be ${expected}, got a function that was not called; write \`${name}()\``;
  throw new InvalidOptionError('concurrency', text);
}

function isLimiter(limit: unknown): limit is Limiter {
  return typeof limit === 'object' && typeof (limit as Partial<Limiter> | null)?.settled === 'function';
}

export interface LimitBounds {
  /** The limit before any request has ended. Default: 20, or the nearest that `min` and `max` allow. */
  readonly initial?: number;
  /** The least limit. Default: 20, or `max` if that is less. */
  readonly min?: number;
  /** The greatest limit. Default: 200, or `min` if that is more. */
  readonly max?: number;
}

/** @throws InvalidOptionError */
export function limitBounds(
  { initial, min, max }: Checked<typeof limitRules>,
  prefix: string,
): Required<LimitBounds> {
  const least = integer(Math.max(1, Math.min(20, max ?? 20)), { min: 1 })(min, `${prefix}min`);
  const most = integer(Math.max(200, least), { min: least })(max, `${prefix}max`);
  const first = Math.min(Math.max(20, least), most);
  return {
    min: least,
    max: most,
    initial: integer(first, { min: least, max: most })(initial, `${prefix}initial`),
  };
}

/** The rules of the bounds before they are compared. */
export const limitRules: Record<keyof LimitBounds, Rule<number | undefined>> = {
  initial: /* @__PURE__ */ integer(),
  min: /* @__PURE__ */ integer(),
  max: /* @__PURE__ */ integer(),
};
