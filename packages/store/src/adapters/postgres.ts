import { boolean, durationMs, InvalidOptionError, oneOf, readOptions, text } from '@ashlar/core';
import { BackendStore } from '../backend-store.ts';
import type { ManagedStore } from '../store.ts';
import { PostgresBackend, type PostgresBackendOptions } from './postgres/backend.ts';
import { type PoolLike, pool, requiredPool } from './postgres/pool-like.ts';
import { creation, table as tableRule } from './postgres/table.ts';

export type {
  PoolClientLike,
  PoolLike,
  QueryableLike,
  ResultLike,
  StatementLike,
} from './postgres/pool-like.ts';
export {
  type FencedRow,
  fencedUpdate,
  type SqlFence,
  type SqlFenceOptions,
  sqlFence,
} from './postgres/sql-fence.ts';
export { TableShapeError } from './postgres/table-shape.ts';

export interface PostgresStoreOptions {
  /**
   * A Pool of `pg`, which stays yours: close the store before you end it. Each operation borrows a connection for one
   * statement, and all watches of a store together keep one, so it needs one connection more than there are stores that
   * watch. Give it a `connectionTimeoutMillis`: otherwise connecting to a silent server lasts as long as the system lets
   * it, although no operation waits for that.
   */
  readonly pool: PoolLike;
  /** `name` or `schema.name`, written as it is in the database. Default: `ashlar_store`. */
  readonly table?: string;
  /** What diagnostics messages and errors call the store. Default: `postgres`. */
  readonly name?: string;
  /** Milliseconds for an operation, the wait for a connection included. Default: 1 000. */
  readonly timeoutMs?: number;
  /**
   * What the server must keep. `linearizable` refuses a server while `fsync`, `full_page_writes` or `synchronous_commit`
   * is off, or the table is unlogged: it checks with each connection and every 10 s of use, and sets `synchronous_commit`
   * for each write. Default: `linearizable`.
   */
  readonly durability?: 'linearizable' | 'asynchronous';
  /** Prepare statements once for each connection. `false` for a PgBouncer before 1.21 in transaction mode. Default: true. */
  readonly prepare?: boolean;
  /**
   * A pool for watches, when `pool` leads through something that does not keep a session on its connection, such as
   * PgBouncer in transaction mode; watches there find changes by polling only. Default: `pool`.
   */
  readonly watchPool?: PoolLike;
}

/** A store in one table of PostgreSQL. */
export interface PostgresStore extends ManagedStore {
  /**
   * Creates the table, or what is missing of it, in one transaction; leaves a complete table alone, which takes no
   * privilege to create. May be called again, and by many at once.
   *
   * @throws TableShapeError when there is another table of that name
   */
  migrate(): Promise<void>;
}

const rules = {
  pool: requiredPool,
  table: tableRule,
  name: text('postgres'),
  timeoutMs: durationMs(1_000, { above: 0, max: 2 ** 31 - 1 }),
  durability: oneOf('linearizable', ['linearizable', 'asynchronous']),
  prepare: boolean(true),
  watchPool: pool,
} satisfies Record<keyof PostgresStoreOptions, unknown>;

/**
 * State in one table of PostgreSQL 13 or later, shared by the processes that reach the same primary.
 *
 * A crash of the server loses nothing when its settings keep it; a failover to an asynchronous standby may lose what was
 * acknowledged last. Time is the server's clock.
 *
 * @throws InvalidOptionError
 */
export function postgresStore(options: PostgresStoreOptions): PostgresStore {
  const { name: store, watchPool, ...checked } = readOptions('postgresStore', options, rules);
  const isShared = watchPool === undefined || watchPool === checked.pool;
  if (isShared && checked.pool.options?.max === 1) {
    throw new InvalidOptionError(
      'pool',
      '`pool` has room for 1 connection, which a watch keeps; write `new pg.Pool({ max: 2 })`, or give a `watchPool`',
    );
  }
  return new TableStore({ ...checked, store, watchPool: watchPool ?? checked.pool });
}

/** The SQL that `migrate` runs, for migrations kept elsewhere. Default: for `ashlar_store`. @throws InvalidOptionError */
export function postgresTable(table?: string): string {
  return creation(tableRule(table, 'table'));
}

class TableStore extends BackendStore implements PostgresStore {
  readonly #backend: PostgresBackend;

  constructor(options: PostgresBackendOptions) {
    const backend = new PostgresBackend(options);
    super(options.store, backend);
    this.#backend = backend;
  }

  migrate(): Promise<void> {
    return this.#backend.migrate();
  }
}
