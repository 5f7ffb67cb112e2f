import { describe, InvalidOptionError, knownOptions, numberOption } from '@ashlar/core';
import { BackendStore } from '../backend-store.ts';
import type { ManagedStore } from '../store.ts';
import { PostgresBackend, type PostgresBackendOptions } from './postgres/backend.ts';
import type { PoolLike } from './postgres/pool-like.ts';
import { creation, tableOf } from './postgres/table.ts';

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
   * A Pool of `pg`, which stays yours: close the store before you end it. Each operation borrows a connection of it for
   * one statement, and all watches together keep one. Give it a `connectionTimeoutMillis`: connecting to a server that
   * is silent otherwise lasts as long as the system lets it, although no operation waits for that.
   */
  readonly pool: PoolLike;
  /** `name` or `schema.name`, written as it is in the database. `ashlar_store` by default. */
  readonly table?: string;
  /** As diagnostics messages call it. `postgres` by default. */
  readonly name?: string;
  /** How long an operation may take, waiting for a connection included. 1 000 by default. */
  readonly timeoutMs?: number;
  /**
   * What the server must keep. With `linearizable`, the default, operations are refused while `fsync`,
   * `full_page_writes` or `synchronous_commit` is off, or the table is unlogged.
   */
  readonly durability?: 'linearizable' | 'asynchronous';
  /** Whether statements are prepared once a connection. Say `false` for a PgBouncer before 1.21 in transaction mode. */
  readonly prepare?: boolean;
  /**
   * Where watches listen, when `pool` leads through something that does not keep a session on its connection, such as
   * PgBouncer in transaction mode. Without it, watches there hear of changes by polling only.
   */
  readonly watchPool?: PoolLike;
}

/** A store in one table of PostgreSQL. */
export interface PostgresStore extends ManagedStore {
  /**
   * Makes the table, or what is missing of it, in one transaction. Repeatable, and may be called by many at once.
   *
   * @throws TableShapeError when there is another table of that name
   */
  migrate(): Promise<void>;
}

/**
 * State in one table of PostgreSQL 13 or later, which processes share that reach the same primary.
 *
 * Nothing is lost in a crash of the server when its settings keep it; what a failover to an asynchronous standby loses
 * is lost here too. Time is the server's clock.
 *
 * @throws InvalidOptionError
 */
export function postgresStore(options: PostgresStoreOptions): PostgresStore {
  knownOptions('postgresStore', options, [
    'pool',
    'table',
    'name',
    'timeoutMs',
    'durability',
    'prepare',
    'watchPool',
  ]);
  const { name = 'postgres', durability = 'linearizable', prepare = true } = options;
  if (durability !== 'linearizable' && durability !== 'asynchronous') {
    const got = describe(durability);
    throw new InvalidOptionError(
      'durability',
      `\`durability\` must be "linearizable" or "asynchronous", got ${got}`,
    );
  }
  const pool = checkPool('pool', options.pool);
  const watchPool = options.watchPool === undefined ? pool : checkPool('watchPool', options.watchPool);
  if (watchPool === pool && pool.options?.max === 1) {
    throw new InvalidOptionError(
      'pool',
      '`pool` has room for one connection only, which a watch would keep; let it have 2, or give a `watchPool`',
    );
  }
  const timeoutMs = numberOption('timeoutMs', options.timeoutMs ?? 1_000, { above: 0, max: 2 ** 31 - 1 });
  const table = tableOf(options.table ?? 'ashlar_store');
  return new TableStore({ store: name, pool, watchPool, table, timeoutMs, durability, prepare });
}

/** The SQL that `migrate` runs, for those who keep their migrations elsewhere. @throws InvalidOptionError */
export function postgresTable(table = 'ashlar_store'): string {
  return creation(tableOf(table));
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

function checkPool(option: string, pool: PoolLike): PoolLike {
  if (typeof pool?.connect === 'function') return pool;
  throw new InvalidOptionError(option, `\`${option}\` must be a Pool of pg, got ${describe(pool)}`);
}
