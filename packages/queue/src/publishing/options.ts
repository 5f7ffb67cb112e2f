import {
  boolean,
  checkNames,
  describe,
  durationMs,
  integer,
  oneOf,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
  required,
} from '@ashlar/core';
import type { Capabilities, Deduplication } from '../driver.ts';
import { UnsupportedError } from '../errors.ts';
import { headers, idText } from '../names.ts';
import type { Transaction } from '../transactions/shapes.ts';

/** What every driver honors. */
export interface AnyPublishOptions {
  /** Unique among all messages. The same id again, within the window that the driver states, is the same message. Default: a random UUID. */
  readonly id?: string;
  /** Partition and tenant: what `ordered`, `fair` and the limits of a key are about. Default: none. */
  readonly key?: string;
  /** More headers; lower-case names, such as `traceparent`. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The version of the payload's form. A subscription with a lower `version` leaves the message to a newer one. Default: none. */
  readonly version?: number;
  /** Accept a message that no group receives; it is dropped. Default: false. */
  readonly allowUnrouted?: boolean;
}
interface DelayOptions {
  /** Milliseconds until the message may be handed out. Default: 0. */
  readonly delayMs?: number;
}
interface PriorityOptions {
  /** An integer from 0 to 9; higher is handed out first. Default: 0. */
  readonly priority?: number;
}
interface ExpiryOptions {
  /** Milliseconds after which the message is dropped instead of handed out. Default: never. */
  readonly expiresInMs?: number;
}

interface DeduplicationOptions {
  /** Keeps one message of those with the same key. Default: all are kept. */
  readonly deduplication?: Deduplication;
}

interface TransactionOptions {
  /**
   * Your transaction of PostgreSQL, as `pg`, postgres.js, PGlite, Drizzle, Kysely, Knex or Prisma have it: the message is
   * published if it commits, and only then. Default: none; published at once.
   */
  readonly tx?: Transaction;
}

/** Options of one message. An option that the driver cannot honor is a type error. */
export type PublishOptions<K extends Capabilities> = AnyPublishOptions &
  (K extends { readonly delay: true } ? DelayOptions : unknown) &
  (K extends { readonly priority: true } ? PriorityOptions : unknown) &
  (K extends { readonly expiry: true } ? ExpiryOptions : unknown) &
  (K extends { readonly deduplication: true } ? DeduplicationOptions : unknown) &
  (K extends { readonly transactions: true } ? TransactionOptions : unknown);

export type EveryPublishOption = AnyPublishOptions &
  DelayOptions &
  PriorityOptions &
  ExpiryOptions &
  DeduplicationOptions &
  TransactionOptions;

const deduplicationRules = {
  key: required(idText),
  mode: required(oneOf(undefined, ['simple', 'throttle', 'debounce'])),
  ttlMs: durationMs(undefined, { above: 0, max: 3_155_760_000_000 }),
};

/** @throws InvalidOptionError */
const deduplication: Rule<Deduplication | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  const { key, mode, ttlMs } = readOptions(`\`${option}\``, value, deduplicationRules, `${option}.`);
  if ((mode === 'simple') === (ttlMs === undefined)) return value as Deduplication;
  const expected =
    mode === 'simple' ? 'absent with mode `simple`' : `a number of milliseconds with mode \`${mode}\``;
  throw refused(`${option}.ttlMs`, expected, ttlMs, `the key is ${describe(key)}`);
};

const publishRules = {
  id: idText,
  key: idText,
  headers,
  version: integer(undefined, { min: 1 }),
  allowUnrouted: boolean(),
  delayMs: durationMs(undefined, { max: 3_155_760_000_000 }),
  priority: integer(undefined, { min: 0, max: 9 }),
  expiresInMs: durationMs(undefined, { above: 0, max: 3_155_760_000_000 }),
  deduplication,
  tx: (value: unknown) => value as Transaction | undefined,
} satisfies RulesFor<EveryPublishOption>;

/** Checks what is given, without a copy. @throws InvalidOptionError */
export function checkPublish(options: EveryPublishOption): void {
  checkNames('publish', options, publishRules);
  for (const name of Object.keys(options) as (keyof EveryPublishOption)[]) {
    publishRules[name](options[name], name);
  }
}

/** @throws UnsupportedError */
export function checkCapabilities(options: EveryPublishOption, can: Capabilities, driver: string): void {
  if (options.delayMs !== undefined && !can.delay) throw new UnsupportedError('delayMs', driver, 'delays');
  if (options.priority !== undefined && !can.priority)
    throw new UnsupportedError('priority', driver, 'priorities');
  if (options.expiresInMs !== undefined && can.expiry !== true)
    throw new UnsupportedError('expiresInMs', driver, 'expiry');
  if (options.deduplication !== undefined && can.deduplication !== true)
    throw new UnsupportedError('deduplication', driver, 'keys of deduplication');
  if (options.tx !== undefined && can.transactions !== true)
    throw new UnsupportedError('tx', driver, 'transactions of the caller');
}
