import {
  durationMs,
  functionOf,
  InvalidOptionError,
  oneOf,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
  required,
} from '@ashlar/core';
import type { Store } from '@ashlar/store';
import { type PoolLike, poolRule } from '../transactions/pool.ts';
import { type TableName, tableName } from '../transactions/tables/table-name.ts';
import type { KeyOf } from './once.ts';

export interface StoreIdempotencyOptions {
  /** Where the records and leases are: a store of their own, as its prefix or table is. Its crashes decide what is promised. */
  readonly store: Store;
  /**
   * How a repetition after a crash stays without effect. `external`: the handler passes `context.idempotencyKey` to a
   * service that takes one. `fenced`: it writes with `context.fence` to a sink that refuses older ones. Without a mode,
   * delivery is at least once, and duplicates are rare.
   */
  readonly mode?: 'external' | 'fenced';
  /** Names the record: messages with the same key are one. Default: the message's id. */
  readonly key?: KeyOf;
  /** Milliseconds that a record of success is kept: longer than a message can come again. Default: 86 400 000, a day. */
  readonly retentionMs?: number;
  /** Milliseconds until another may handle the message of a process that died. Default: 10 000. */
  readonly leaseMs?: number;
}

interface AnyTransactionIdempotency {
  /**
   * Effect and record in one transaction of PostgreSQL: what the handler does with `context.tx`, messages that it publishes
   * with it included, happens exactly once. It is called again only after what it did was rolled back.
   */
  readonly mode: 'transaction';
  /** Names the record, as without a mode. Default: the message's id. */
  readonly key?: KeyOf;
  /** The table of the records: `name` or `schema.name`. Default: `ashlar_inbox`. */
  readonly table?: string;
  /** Milliseconds that a record is kept: longer than a message can come again. Default: 604 800 000, a week. */
  readonly retentionMs?: number;
}
/** With transactions of our own. */
export interface PoolIdempotencyOptions extends AnyTransactionIdempotency {
  /** A Pool of `pg`: each handler that runs has one connection of it, as `context.tx`. */
  readonly pool: PoolLike;
  /**
   * Milliseconds that a handler may leave its transaction idle, before the server rolls it back: so another has the message
   * of a process that stands still. Default: 60 000.
   */
  readonly idleMs?: number;
  readonly begin?: never;
}
/** With transactions of your client, which the handler gets as `context.tx`. */
export interface BeginIdempotencyOptions<Tx> extends AnyTransactionIdempotency {
  /**
   * Calls `run` with a new transaction, commits when it resolves, rolls back when it rejects, and does that once:
   * `run => db.transaction(run)`.
   */
  readonly begin: (run: (tx: Tx) => Promise<void>) => PromiseLike<unknown>;
  readonly pool?: never;
}

export type TransactionIdempotencyOptions<Tx = unknown> =
  | PoolIdempotencyOptions
  | BeginIdempotencyOptions<Tx>;
export type IdempotencyOptions = StoreIdempotencyOptions | TransactionIdempotencyOptions;

export interface TransactionSettings {
  readonly mode: 'transaction';
  readonly pool: PoolLike | undefined;
  readonly begin: BeginIdempotencyOptions<unknown>['begin'] | undefined;
  readonly key: KeyOf | undefined;
  readonly table: TableName;
  readonly retentionMs: number;
  readonly idleMs: number;
}

export type IdempotencySettings = StoreSettings | TransactionSettings;

export type StoreSettings = {
  readonly store: Store;
  readonly mode: 'external' | 'fenced' | undefined;
  readonly key: KeyOf | undefined;
  readonly retentionMs: number;
  readonly leaseMs: number;
};

const anyStore: Rule<Store> = (value, option) => {
  const store = value as Partial<Store> | null | undefined;
  const has = ['get', 'set', 'claim', 'release'].every(
    name => typeof store?.[name as keyof Store] === 'function',
  );
  if (has) return store as Store;
  throw refused(option, 'a store', value, 'write `store: memoryStore()`, imported from @ashlar/store');
};

const storeRules = {
  store: anyStore,
  mode: oneOf(undefined, ['external', 'fenced']),
  key: functionOf<KeyOf>(),
  retentionMs: durationMs(86_400_000, { above: 0 }),
  leaseMs: durationMs(10_000, { min: 100 }),
} satisfies RulesFor<StoreIdempotencyOptions>;

const transactionRules = {
  mode: required(oneOf(undefined, ['transaction'])),
  pool: poolRule,
  begin: functionOf<BeginIdempotencyOptions<unknown>['begin']>(),
  key: functionOf<KeyOf>(),
  table: tableName('ashlar_inbox'),
  retentionMs: durationMs(604_800_000, { above: 0 }),
  idleMs: durationMs(60_000, { min: 100, max: 2 ** 31 - 1 }),
};

/** The rule of `idempotency`. */
export const idempotency: Rule<IdempotencySettings | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  if ((value as Partial<IdempotencyOptions> | null)?.mode !== 'transaction') {
    return readOptions(`\`${option}\``, value, storeRules, `${option}.`);
  }
  const settings = readOptions(`\`${option}\``, value, transactionRules, `${option}.`);
  if ((settings.pool === undefined) !== (settings.begin === undefined))
    return settings as TransactionSettings;
  const text = `\`${option}\` of mode \`transaction\` needs either a \`pool\` or a \`begin\`: write \`begin: run => db.transaction(run)\``;
  throw new InvalidOptionError(option, text);
};
