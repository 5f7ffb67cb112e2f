import { readFileSync } from 'node:fs';
import { type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import type { Start, Subject } from './subjects.ts';

const batch = 500;
const singles = 300;

/** What holds up the vacuum of the tables: nothing, a transaction that reads, or one that has written elsewhere. */
export type Holder = 'nobody' | 'reader' | 'writer';

/** Of messages that come alone. */
export interface Cost {
  /** Blocks that a claim reads, wherever they come from. */
  readonly claim: number;
  /** The same of all statements, a message. */
  readonly all: number;
  /** Microseconds of the CPU of all sessions, a message. */
  readonly cpuUs: number;
}

/** A server with its subject, and a transaction that may be held open. */
export class Place implements AsyncDisposable {
  readonly #server: Postgres;
  readonly #admin: pg.Pool;
  readonly #holder: pg.PoolClient;
  readonly #subject: Subject;
  #passed = 0;

  private constructor(server: Postgres, admin: pg.Pool, holder: pg.PoolClient, subject: Subject) {
    this.#server = server;
    this.#admin = admin;
    this.#holder = holder;
    this.#subject = subject;
  }

  static async begin(start: Start, holder: Holder): Promise<Place> {
    const server = await startPostgres({
      counting: true,
      config: { shared_buffers: '128MB', max_wal_size: '1GB' },
    });
    try {
      const newPool = () => {
        const pool = new pg.Pool({ connectionString: server.url });
        pool.on('error', () => {}); // The server's end ends what is idle
        return pool;
      };
      const admin = newPool();
      await admin.query('CREATE TABLE elsewhere (n integer)');
      const subject = await start(newPool());
      const client = await admin.connect();
      client.on('error', () => {});
      if (holder !== 'nobody') await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      if (holder === 'reader') await client.query('SELECT 1 FROM pg_class LIMIT 1');
      if (holder === 'writer') await client.query('INSERT INTO elsewhere VALUES (1)');
      return new Place(server, admin, client, subject);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get passed(): number {
    return this.#passed;
  }

  /** Many at once. */
  async pass(count: number): Promise<void> {
    const end = this.#passed + count;
    while (this.#passed < end) await this.#pass(Math.min(batch, end - this.#passed), 5_000);
    await this.#pass(1, 0);
  }

  async cost(): Promise<Cost> {
    await this.#admin.query('SELECT pg_stat_statements_reset()');
    const before = await this.#cpuUs();
    for (let n = 0; n < singles; n++) await this.#pass(1, 0);
    const cpuUs = (await this.#cpuUs()) - before;
    const blocks = 'shared_blks_hit + shared_blks_read';
    const { rows } = await this.#admin.query(
      `SELECT (sum(${blocks}) FILTER (WHERE query LIKE $1) / sum(calls) FILTER (WHERE query LIKE $1))::float8 AS claim,
        (sum(${blocks}) FILTER (WHERE toplevel) / ${singles})::float8 AS "all" FROM pg_stat_statements`,
      [`${this.#subject.claim}%`],
    );
    return { ...rows[0], cpuUs: cpuUs / singles };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.release(true);
    await this.#subject.close().catch(() => {});
    await this.#server.stop();
  }

  async #pass(count: number, left: number): Promise<void> {
    await this.#subject.pass(this.#passed, count, left);
    this.#passed += count;
  }

  /** Of the sessions that there are. Linux only. */
  async #cpuUs(): Promise<number> {
    const { rows } = await this.#admin.query(
      `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    );
    const used = (pid: number) =>
      Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1_000;
    return rows.reduce((sum, { pid }) => sum + used(pid), 0);
  }
}
