import {
  boolean,
  defaultTo,
  durationMs,
  functionOf,
  InvalidOptionError,
  integer,
  number,
  type Rule,
  type RulesFor,
  readOptions,
  record,
  refused,
  required,
} from '@ashlar/core';
import type { Capabilities, Limits, Rate } from '../driver.ts';
import { UnsupportedError } from '../errors.ts';
import { type IdempotencyOptions, type IdempotencySettings, idempotency } from '../idempotency/options.ts';
import { topicName } from '../names.ts';
import type { BatchOptions } from './batches.ts';
import { type BatchContext, type HandlerContext, Running } from './context.ts';

export interface BackoffOptions {
  /** The longest pause after the first failure, in milliseconds; it doubles with each further one. Default: 1 000. */
  readonly firstMs?: number;
  /** The longest pause of all, in milliseconds. Default: 60 000. */
  readonly maxMs?: number;
}

/** What every driver honors. */
export interface AnySubscribeOptions {
  /** Subscriptions of one group share the messages; each group receives all of them. Default: `default`. */
  readonly group?: string;
  /** How many handlers may run at once, in this subscription. Default: 10. */
  readonly concurrency?: number;
  /** How often a message may fail before it is dead, the first time included. Default: 5. */
  readonly attempts?: number;
  /** Milliseconds after which a handler counts as failed and its signal aborts. Default: no limit. */
  readonly timeoutMs?: number;
  /** The pauses between attempts: exponential with full jitter. */
  readonly backoff?: BackoffOptions;
  /**
   * Whether another attempt makes sense after this error, at once or within ten seconds: what fails, or gives anything but
   * `false`, has not said no. Default: unless it is a DoNotRetryError.
   */
  readonly retryIf?: (error: unknown) => boolean | PromiseLike<boolean>;
  /** Handles each message once, as far as its `mode` can. Default: at least once. */
  readonly idempotency?: IdempotencyOptions;
  /** The newest version of the payload's form that the handler knows; newer messages wait. Default: any. */
  readonly version?: number;
}
interface JobOptions {
  /** Keeps what the handler returns, as JSON, for `queue.find`; what has no JSON form, or more than 16 MiB, is dropped and reported. Default: false. */
  readonly results?: boolean;
}
interface CrashOptions {
  /** How often the process may die, or the lease end, under a message before it is dead. Default: 5. */
  readonly crashes?: number;
}
interface OrderOptions {
  /** Messages with the same key come one at a time, in the order of their publishing; a failed one holds up its key. Default: false. */
  readonly ordered?: boolean;
}
interface FairOptions {
  /** Keys take turns, so that one with many messages does not hold up the others. Default: false. */
  readonly fair?: boolean;
}
interface LimitOptions {
  /** What the group may start, over all processes. Default: no limits. */
  readonly limits?: Limits;
}

/** Options of a subscription. An option that the driver cannot honor is a type error. */
export type SubscribeOptions<K extends Capabilities> = AnySubscribeOptions &
  (K extends { readonly jobs: true } ? JobOptions : unknown) &
  (K extends { readonly crashCount: true } ? CrashOptions : unknown) &
  (K extends { readonly orderedKeys: true } ? OrderOptions : unknown) &
  (K extends { readonly fairness: true } ? FairOptions : unknown) &
  (K extends { readonly limits: true } ? LimitOptions : unknown);

export interface DrainOptions {
  /** Milliseconds that running handlers have to end; then their signals abort. Default: 30 000. */
  readonly timeoutMs?: number;
  /**
   * The context of the handler that closes and awaits this: it is not waited for, as it would wait for itself. Its message is
   * settled as it ends.
   */
  readonly within?: HandlerContext | BatchContext;
}

/** The checked options of a subscription. */
export interface Settings {
  readonly group: string;
  readonly concurrency: number;
  readonly attempts: number;
  readonly crashes: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
  readonly retryIf: ((error: unknown) => boolean | PromiseLike<boolean>) | undefined;
  readonly idempotency: IdempotencySettings | undefined;
  readonly batch: Required<BatchOptions> | undefined;
  readonly results: boolean;
  readonly version: number | undefined;
  readonly ordered: boolean | undefined;
  readonly fair: boolean | undefined;
  readonly limits: Limits | undefined;
}

/** Options of a subscription whose handler gets many messages at once; not with `idempotency` or `ordered`. */
export type BatchSubscribeOptions<K extends Capabilities> = SubscribeOptions<K> & {
  readonly batch: BatchOptions;
};

/** Options of a subscription whose handler works within a transaction, `I`. */
export type TransactionSubscribeOptions<K extends Capabilities, I> = Omit<
  SubscribeOptions<K>,
  'idempotency' | 'batch'
> & { readonly idempotency: I };

type EverySubscribeOption = AnySubscribeOptions & { readonly batch?: BatchOptions } & JobOptions &
  CrashOptions &
  OrderOptions &
  FairOptions &
  LimitOptions;

const rate = record({
  count: required(integer(undefined, { min: 1 })),
  perMs: required(durationMs(undefined, { above: 0 })),
}) as unknown as Rule<Rate>;
const orAbsent =
  <T>(rule: Rule<T>): Rule<T | undefined> =>
  (value, option) =>
    value === undefined ? undefined : rule(value, option);

const subscribeRules = {
  group: defaultTo('default', (value, option) =>
    value === undefined ? undefined : topicName(value, option),
  ),
  concurrency: integer(10, { min: 1, max: 100_000 }),
  attempts: integer(5, { min: 1 }),
  crashes: integer(undefined, { min: 0 }),
  timeoutMs: durationMs(undefined, { above: 0 }),
  backoff: record({ firstMs: durationMs(1_000), maxMs: durationMs(60_000) }),
  retryIf: functionOf<(error: unknown) => boolean | PromiseLike<boolean>>(),
  idempotency,
  batch: orAbsent(
    record({
      size: required(integer(undefined, { min: 1, max: 10_000 })),
      waitMs: durationMs(20),
    } satisfies RulesFor<BatchOptions>),
  ),
  results: boolean(false),
  version: integer(undefined, { min: 1 }),
  ordered: boolean(),
  fair: boolean(),
  limits: orAbsent(
    record({
      rate: orAbsent(rate),
      keyRate: orAbsent(rate),
      keyConcurrency: integer(undefined, { min: 1 }),
    } satisfies RulesFor<Limits>),
  ),
} satisfies RulesFor<Omit<EverySubscribeOption, 'idempotency'>> & { idempotency: unknown };

const drainRules = {
  timeoutMs: number(30_000, { min: 0 }),
  within: (value, option) => (value === undefined ? [] : runningOf(value, option)),
} satisfies { [Name in keyof DrainOptions]-?: Rule<unknown> };

/** @throws InvalidOptionError */
export function readSubscribe(options: unknown): Settings {
  const settings = readOptions('subscribe', options, subscribeRules);
  for (const other of ['idempotency', 'ordered'] as const) {
    if (settings.batch === undefined || !settings[other]) continue;
    throw new InvalidOptionError('batch', `\`batch\` and \`${other}\` exclude each other: choose one`);
  }
  return settings;
}

/** @throws InvalidOptionError */
export function readDrain(options: unknown): {
  readonly timeoutMs: number;
  readonly within: readonly Running[];
} {
  return readOptions('close', options, drainRules);
}

/** The messages of a context, also of one of batches. */
function runningOf(context: unknown, option: string): readonly Running[] {
  const { items = [context] } = Object(context) as Partial<BatchContext>;
  if (Array.isArray(items) && items.every(each => each instanceof Running)) return items;
  throw refused(
    option,
    'the context of the handler that closes',
    context,
    'pass on what the handler was given',
  );
}

/** @throws UnsupportedError */
export function checkCapabilities(options: Settings, can: Capabilities, driver: string): void {
  const need = (isAsked: boolean, has: boolean | undefined, option: string, ability: string) => {
    if (isAsked && has !== true) throw new UnsupportedError(option, driver, ability);
  };
  need(options.ordered === true, can.orderedKeys, 'ordered', 'order of keys');
  need(options.fair === true, can.fairness, 'fair', 'fairness');
  need(options.limits !== undefined, can.limits, 'limits', 'limits over all consumers');
  need(options.results, can.jobs, 'results', 'a record of jobs');
  need(options.crashes !== undefined, can.crashCount, 'crashes', 'a count of deliveries');
}
