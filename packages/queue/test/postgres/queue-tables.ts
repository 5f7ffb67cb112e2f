import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import {
  type PostgresDriver,
  type PostgresDriverOptions,
  postgresDriver,
} from '../../src/adapters/postgres.ts';
import type { Capabilities } from '../../src/index.ts';

export const postgresCapabilities: Capabilities = postgresDriver({ pool: new pg.Pool() }).capabilities;

let made = 0;

/** Tables of their own on a server, and the drivers over them; disposing ends and drops them all. */
export class QueueTables implements AsyncDisposable {
  readonly prefix: string = `test_${process.pid}_${++made}`;
  readonly admin: pg.Pool;
  readonly #url: string;
  readonly #drivers: { readonly driver: PostgresDriver; readonly pool: pg.Pool }[] = [];

  constructor(url: string) {
    this.#url = url;
    this.admin = new pg.Pool({ connectionString: url, max: 3 });
    this.admin.on('error', () => {});
  }

  /** A driver with a pool of its own, as another process would have it. */
  driver(options: Partial<PostgresDriverOptions> = {}, pooled: pg.PoolConfig = {}): PostgresDriver {
    const { prefix } = this;
    const pool = new pg.Pool({ connectionString: this.#url, application_name: prefix, max: 6, ...pooled });
    pool.on('error', () => {}); // Its end does not wait for that of its sessions, which the server's end ends
    // The servers of tests do not wait for the disk
    const driver = postgresDriver({ pool, prefix, durability: 'asynchronous', leaseMs: 2_000, ...options });
    this.#drivers.push({ driver, pool });
    return driver;
  }

  async endSessions(): Promise<void> {
    const text = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1';
    await this.sql(text, [this.prefix]);
  }

  /** What it returns resolves when the sessions of the moment have ended. */
  async noteSessions(): Promise<() => Promise<void>> {
    const all = 'SELECT pid FROM pg_stat_activity WHERE application_name = $1';
    const pids = (await this.sql(all, [this.prefix])).map(({ pid }) => pid);
    return async () => {
      const left = 'SELECT pid FROM pg_stat_activity WHERE pid = ANY ($1)';
      while ((await this.sql(left, [pids])).length > 0) await delay(5);
    };
  }

  async sql(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return (await this.admin.query(text, values)).rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { driver, pool } of this.#drivers) {
      await driver[Symbol.asyncDispose]();
      await pool.end();
    }
    try {
      const names = ['groups', 'jobs', 'ids', 'throttles', 'buckets'].map(name => `${this.prefix}_${name}`);
      await this.sql(`DROP TABLE IF EXISTS ${names.join(', ')}`);
    } finally {
      await this.admin.end();
    }
  }
}
