import pg from 'pg';
import { type PostgresStore, type PostgresStoreOptions, postgresStore } from '../../src/adapters/postgres.ts';

let tables = 0;

/** A table of its own on a server, and the stores over it; disposing ends and drops them all. */
export class Tables implements AsyncDisposable {
  readonly table: string = `test_${process.pid}_${++tables}`;
  readonly admin: pg.Pool;
  readonly #url: string;
  readonly #stores: { readonly store: PostgresStore; readonly pool: pg.Pool }[] = [];

  constructor(url: string) {
    this.#url = url;
    this.admin = new pg.Pool({ connectionString: url, max: 2 });
    this.admin.on('error', () => {});
  }

  /** A store with a pool of its own, as another process would have it. */
  store(options: Partial<PostgresStoreOptions> = {}, pooled: pg.PoolConfig = {}): PostgresStore {
    const { table } = this;
    const pool = new pg.Pool({ connectionString: this.#url, application_name: table, ...pooled });
    // the servers of tests do not wait for the disk
    const store = postgresStore({ pool, table, durability: 'asynchronous', ...options });
    this.#stores.push({ store, pool });
    return store;
  }

  /** Ends the sessions of the stores. */
  async endSessions(): Promise<void> {
    await this.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
      this.table,
    ]);
  }

  async sql(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return (await this.admin.query(text, values)).rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { store, pool } of this.#stores) {
      await store.close();
      await pool.end();
    }
    try {
      await this.sql(`DROP TABLE IF EXISTS ${this.table}`);
    } finally {
      await this.admin.end();
    }
  }
}
