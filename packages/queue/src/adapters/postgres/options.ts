import { boolean, durationMs, InvalidOptionError, integer, oneOf, readOptions } from '@ashlar/core';
import type { Capabilities } from '../../driver.ts';
import { keptOf, type PoolLike, poolRule, requiredPool } from '../../transactions/pool.ts';
import { type Tables, tablesRule } from './tables.ts';

export interface PostgresDriverOptions {
  /**
   * A Pool of `pg`, which stays yours: close the queue before you end it. Each operation borrows a connection for one
   * statement, and a driver that consumes keeps one to listen, so it needs two at least.
   */
  readonly pool: PoolLike;
  /**
   * A Pool for the connection that listens, when `pool` leads through something that does not keep a session on its
   * connection, such as PgBouncer in transaction mode; without it messages are found there by the poll only. Default: `pool`.
   */
  readonly listenPool?: PoolLike;
  /** The beginning of the names of the tables, `name` or `schema.name`. Default: `ashlar_queue`. */
  readonly prefix?: string;
  /** Milliseconds that a message stays with a consumer that does not extend it. Default: 7 500. */
  readonly leaseMs?: number;
  /** Milliseconds for a statement, and for the wait for a connection or for what else was asked of `tx`. Default: 5 000. */
  readonly timeoutMs?: number;
  /** Milliseconds until a consumer looks for messages that no notification told it of. Default: 1 000. */
  readonly pollMs?: number;
  /** The dead letters that a group keeps; the oldest go first, within some seconds. Default: 10 000. */
  readonly maxDead?: number;
  /** The results of handlers that a group keeps; the oldest go first, within some seconds. Default: 1 000. */
  readonly maxResults?: number;
  /** Milliseconds within which a message published again with the same id is one message. Default: 300 000. */
  readonly deduplicationMs?: number;
  /**
   * What the server must keep. `synchronous` refuses a server while `fsync` or `full_page_writes` is off, and sets
   * `synchronous_commit` for its own transactions. Default: `synchronous`.
   */
  readonly durability?: 'synchronous' | 'asynchronous';
  /** Prepare statements once for each connection. `false` for a PgBouncer before 1.21 in transaction mode. Default: true. */
  readonly prepare?: boolean;
}

/** What the driver over PostgreSQL can do. */
export interface PostgresCapabilities extends Capabilities {
  readonly delay: true;
  readonly priority: true;
  readonly fanout: true;
  readonly durable: true;
  readonly orderedKeys: true;
  readonly deadLetters: true;
  readonly crashCount: true;
  readonly uniqueIds: true;
  readonly deduplication: true;
  readonly fairness: true;
  readonly limits: true;
  readonly expiry: true;
  readonly jobs: true;
  readonly transactions: true;
}

export const capabilities: PostgresCapabilities = {
  delay: true,
  priority: true,
  fanout: true,
  durable: true,
  orderedKeys: true,
  deadLetters: true,
  crashCount: true,
  uniqueIds: true,
  deduplication: true,
  fairness: true,
  limits: true,
  expiry: true,
  jobs: true,
  transactions: true,
};

const rules = {
  pool: requiredPool,
  listenPool: poolRule,
  prefix: tablesRule,
  leaseMs: durationMs(7_500, { min: 100 }),
  timeoutMs: durationMs(5_000, { above: 0, max: 2 ** 30 }),
  pollMs: durationMs(1_000, { min: 10 }),
  maxDead: integer(10_000, { min: 0 }),
  maxResults: integer(1_000, { min: 0 }),
  deduplicationMs: durationMs(300_000, { min: 1_000 }),
  durability: oneOf('synchronous', ['synchronous', 'asynchronous']),
  prepare: boolean(true),
} satisfies Record<keyof PostgresDriverOptions, unknown>;

export type Settings = Omit<Required<PostgresDriverOptions>, 'prefix'> & { readonly prefix: Tables };

/** @throws InvalidOptionError */
export function readSettings(options: PostgresDriverOptions): Settings {
  const { listenPool, ...settings } = readOptions('postgresDriver', options, rules);
  return { ...settings, listenPool: listenPool ?? settings.pool } as Settings;
}

/**
 * @param isListening whether the driver has its connection to listen already
 * @throws InvalidOptionError for a pool whose last connection would listen, so that nothing could be claimed
 */
export function checkRoom({ pool, listenPool }: Settings, isListening: boolean): void {
  const max = pool.options?.max;
  if (pool !== listenPool || isListening || max === undefined) return;
  const needed = keptOf(pool) + 2;
  if (max >= needed) return;
  const kept = needed === 2 ? 'which consuming keeps' : 'and each driver that consumes keeps one';
  throw new InvalidOptionError(
    'pool',
    `\`pool\` has room for ${max} connection${max === 1 ? '' : 's'}, ${kept}; write \`new pg.Pool({ max: ${needed} })\`, or give a \`listenPool\``,
  );
}
