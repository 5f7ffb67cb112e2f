import {
  boolean,
  type Clock,
  clock,
  defaultTo,
  durationMs,
  integer,
  objectWith,
  type Random,
  random,
  readOptions,
  record,
  required,
  systemClock,
} from '@ashlar/core';
import type { Capabilities, Driver } from './driver.ts';
import { topicName } from './names.ts';
import { OutboxDriver } from './outbox/outbox-driver.ts';
import { creation } from './outbox/table.ts';
import { type PoolLike, poolRule, requiredPool } from './transactions/pool.ts';
import { tableName } from './transactions/tables/table-name.ts';

export type { OutboxLag } from './outbox/monitor.ts';
export type { OutboxDriver, OutboxSnapshot } from './outbox/outbox-driver.ts';
export type { PoolClientLike, PoolLike } from './transactions/pool.ts';
export type { ColumnTypes } from './transactions/tables/column-types.ts';

export interface OutboxOptions {
  /**
   * A Pool of `pg` to the database of your transactions, which stays yours: the relay takes one connection at a time, one
   * now and then, and keeps one to listen where the pool has room for four.
   */
  readonly pool: PoolLike;
  /**
   * A Pool for the connection that listens, when `pool` leads through something that does not keep a session on its
   * connection, such as PgBouncer in transaction mode; without it the relay finds there by `pollMs` only what other
   * processes have written. Default: `pool`.
   */
  readonly listenPool?: PoolLike;
  /** `name` or `schema.name`. Default: `ashlar_outbox`. */
  readonly table?: string;
  /** Whether this process relays. Others share the work; some process must. Default: true. */
  readonly relay?: boolean;
  /**
   * Prepare, once for each connection, the insert on a client of `pg` and the looks of the relay. `false` for a PgBouncer
   * before 1.21 in transaction mode; a relay that finds them forgotten goes on without. Default: true.
   */
  readonly prepare?: boolean;
  /** Milliseconds, at most, between looks for rows that another process has written, if no notification tells of them. Default: 200. */
  readonly pollMs?: number;
  /**
   * Milliseconds for a statement of the relay, for the driver to confirm what it published at once, and for `tx` to have
   * answered what else was asked of it. Default: 10 000.
   */
  readonly timeoutMs?: number;
  /** How often the driver may refuse a message for its own sake before it is put aside. Outages do not count. Default: 10. */
  readonly attempts?: number;
  /** The longest pauses between these attempts, in milliseconds. Default: 1 000, doubling up to 60 000. */
  readonly backoff?: { readonly firstMs?: number; readonly maxMs?: number };
  /** The group of `queue.dead(topic, group)` that shows what was put aside. Default: `outbox`. */
  readonly group?: string;
  /** Milliseconds that closing waits for committed messages to be relayed. Default: 5 000. */
  readonly drainMs?: number;
  /** Milliseconds after which an open transaction that holds up the outbox is warned of. Default: 60 000. */
  readonly longTransactionMs?: number;
  /** Measures pauses. Default: the machine's. */
  readonly clock?: Clock;
  /** Default: `Math.random`. */
  readonly random?: Random;
}

const rules = {
  pool: requiredPool,
  listenPool: poolRule,
  table: tableName('ashlar_outbox'),
  relay: boolean(true),
  prepare: boolean(true),
  pollMs: durationMs(200, { min: 1 }),
  timeoutMs: durationMs(10_000, { above: 0, max: 600_000 }),
  attempts: integer(10, { min: 1 }),
  backoff: record({ firstMs: durationMs(1_000), maxMs: durationMs(60_000) }),
  group: defaultTo('outbox', (value, option) => (value === undefined ? undefined : topicName(value, option))),
  drainMs: durationMs(5_000),
  longTransactionMs: durationMs(60_000, { above: 0 }),
  clock: clock(systemClock),
  random: random(),
} satisfies Record<keyof OutboxOptions, unknown>;

const anyDriver = required(
  objectWith<Driver>(['declare', 'publish', 'consume'], 'write `outbox(redisStreams({ redis }), { pool })`'),
  'write `outbox(redisStreams({ redis }), { pool })`',
);

/**
 * A driver that publishes within your PostgreSQL transaction, whichever broker it is over: with `{ tx }`, messages are
 * rows of the outbox until your transaction commits, and then a relay publishes them to `driver` with their ids, in order
 * per key. A rollback publishes nothing. After a crash between the driver's confirmation and the row's end a message is
 * published again with the same id. Without `tx`, messages go to `driver` directly.
 *
 * @param driver belongs to the outbox from now on, which closes it
 * @throws InvalidOptionError
 */
export function outbox<K extends Capabilities>(driver: Driver<K>, options: OutboxOptions): OutboxDriver<K> {
  return new OutboxDriver(anyDriver(driver, 'driver') as Driver<K>, readOptions('outbox', options, rules));
}

/** The SQL that `migrate` runs, for migrations kept elsewhere. @throws InvalidOptionError */
export function outboxTable(table?: string): string {
  return creation(tableName('ashlar_outbox')(table, 'table'));
}
