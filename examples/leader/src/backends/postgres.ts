import { type FencingToken, StaleTokenError } from '@ashlar/store';
import { type PostgresStore, postgresStore, sqlFence } from '@ashlar/store/postgres';
import pg from 'pg';
import type { Counter, ParentBackend } from './backend.ts';

const table = 'ashlar_leader_counter';

/** One statement adds, compares and notes who did it. */
class PostgresCounter implements Counter {
  readonly #pool: pg.Pool;
  readonly #store: PostgresStore;
  readonly #run: string;

  constructor(pool: pg.Pool, store: PostgresStore, run: string) {
    this.#pool = pool;
    this.#store = store;
    this.#run = run;
  }

  async create(): Promise<void> {
    await this.#store.migrate();
    await this.#pool.query(`CREATE TABLE IF NOT EXISTS ${table}
      (run text PRIMARY KEY, count int NOT NULL, fence_token bigint, fence_holder text)`);
    await this.#pool.query(`INSERT INTO ${table} VALUES ($1, 0)`, [this.#run]);
  }

  async increment({ token, holder }: FencingToken): Promise<number> {
    const fence = sqlFence({ token, holder }, { from: 2 });
    const { rows } = await this.#pool.query<{ count: number }>(
      `UPDATE ${table} SET count = count + 1, ${fence.set} WHERE run = $1 AND ${fence.where} RETURNING count`,
      [this.#run, ...fence.values],
    );
    if (rows[0] !== undefined) return rows[0].count;
    const seen = await this.#row();
    const by = { token: BigInt(seen.fence_token ?? 0), holder: seen.fence_holder ?? '' };
    throw new StaleTokenError('the counter', { token, holder }, by);
  }

  async read(): Promise<number> {
    return (await this.#row()).count;
  }

  async remove(): Promise<void> {
    await this.#pool.query(`DELETE FROM ${table} WHERE run = $1`, [this.#run]);
  }

  async #row(): Promise<Row> {
    const { rows } = await this.#pool.query<Row>(`SELECT * FROM ${table} WHERE run = $1`, [this.#run]);
    if (rows[0] === undefined) throw new Error(`${table} has no row for this run`);
    return rows[0];
  }
}

interface Row {
  readonly count: number;
  readonly fence_token: string | null;
  readonly fence_holder: string | null;
}

/** On a PostgreSQL server; the counter of each run has a row of its own. */
export function postgresBackend(url: string, run: string): ParentBackend {
  const pool = new pg.Pool({
    connectionString: url,
    max: 4,
    connectionTimeoutMillis: 1_000,
    query_timeout: 1_000,
  });
  pool.on('error', () => {}); // The calls reject with it
  // a server that may lose its last moment will do for a show
  const store = postgresStore({ pool, table: 'ashlar_leader_store', durability: 'asynchronous' });
  return {
    store,
    counter: new PostgresCounter(pool, store, run),
    async [Symbol.asyncDispose]() {
      await store.close();
      await pool.end();
    },
  };
}
