import { eventually, type Postgres, startPostgres, startTcpProxy, type TcpProxy } from '@workspace/services';
import pg from 'pg';
import { type PostgresStore, postgresStore } from '../../src/adapters/postgres.ts';
import type { Call, StoreSpec } from '../plan/plan.ts';
import { reading, type Site, type Stage, timeoutOf } from './site.ts';

/** What each role may do with the table. */
const roles = {
  owner: 'ALL',
  writer: 'SELECT, INSERT, UPDATE, DELETE',
  'without DELETE': 'SELECT, INSERT, UPDATE',
  reader: 'SELECT',
  nobody: 'REFERENCES',
} as const;

type Role = keyof typeof roles;

const table = 'fuzzed';

type Trouble = readonly [
  begin: (stage: PostgresStage) => Promise<unknown>,
  end?: (stage: PostgresStage) => Promise<unknown>,
];

const setting = (name: string, value: string, usual: string): Trouble => [
  stage => stage.configure(`SET ${name} = ${value}`),
  async stage => {
    await stage.configure(`RESET ${name}`);
    await stage.shows(name, usual);
    // The old ones may hear of it late
    await stage.endSessions();
  },
];

const troubles: Readonly<Record<string, Trouble>> = {
  'read only': setting('default_transaction_read_only', 'on', 'off'),
  'asynchronous commit': setting('synchronous_commit', 'off', 'on'),
  'strict isolation': setting('default_transaction_isolation', 'serializable', 'read committed'),
  'statements are short': setting('statement_timeout', '1', '0'),
  'sessions end': [stage => stage.endSessions()],
  'statements are canceled': [stage => stage.cancelStatements()],
  'the table is locked': [stage => stage.lock(), stage => stage.unlock()],
  'the way is cut': [async ({ proxy }) => proxy.cut()],
  'the way is silent': [async ({ proxy }) => proxy.stall(), async ({ proxy }) => proxy.resume()],
  'the way is closed': [({ proxy }) => proxy.refuse(), ({ proxy }) => proxy.accept()],
  'the way is slow': [async ({ proxy }) => proxy.delay(30), async ({ proxy }) => proxy.delay(0)],
};

export async function postgresSite(): Promise<Site> {
  const server = await startPostgres({
    config: { fsync: true, full_page_writes: true, max_connections: 60 },
  });
  const proxy = await startTcpProxy({ target: server.port });
  // What a trouble sets must not stop what ends it
  const options = '-c default_transaction_read_only=off -c statement_timeout=0';
  const admin = new pg.Pool({ connectionString: server.url, max: 2, options });
  admin.on('error', () => {});
  const names = Object.keys(roles);
  await postgresStore({ pool: admin, table }).migrate();
  for (const [index, name] of names.entries()) {
    await admin.query(
      `CREATE ROLE user_${index} LOGIN; GRANT ${roles[name as Role]} ON ${table} TO user_${index}`,
    );
  }
  let cases = 0;
  return {
    name: 'postgres',
    users: names,
    troubles: Object.keys(troubles),
    mostStores: 3,
    begin: async specs => new PostgresStage(server, proxy, admin, `case_${++cases}`, specs),
    async [Symbol.asyncDispose]() {
      await admin.end();
      await proxy.stop();
      await server.stop();
    },
  };
}

class PostgresStage implements Stage {
  readonly proxy: TcpProxy;
  readonly stores: readonly PostgresStore[];
  /** What the server calls the connections of the case. */
  readonly #session: string;
  readonly #admin: pg.Pool;
  readonly #url: string;
  readonly #specs: readonly StoreSpec[];
  readonly #pools: pg.Pool[] = [];
  readonly #ends = new Map<string, () => Promise<unknown>>();
  #holder: pg.PoolClient | undefined;

  constructor(
    server: Postgres,
    proxy: TcpProxy,
    admin: pg.Pool,
    session: string,
    specs: readonly StoreSpec[],
  ) {
    this.#session = session;
    this.#url = server.url;
    this.proxy = proxy;
    this.#admin = admin;
    this.#specs = specs;
    const { pathname } = new URL(server.url);
    this.stores = specs.map(spec => {
      const timeoutMs = timeoutOf(spec);
      const user = `user_${Object.keys(roles).indexOf(spec.user)}`;
      const pool = (max: number) => {
        const made = new pg.Pool({
          connectionString: `postgres://${user}@127.0.0.1:${proxy.port}${pathname}`,
          application_name: session,
          connectionTimeoutMillis: timeoutMs,
          max,
        });
        this.#pools.push(made);
        return made;
      };
      // With one connection there is none for watches
      const more = spec.pool === 1 ? { watchPool: pool(1) } : {};
      const store = postgresStore({ pool: pool(spec.pool), table, timeoutMs, ...more });
      const close = store.close.bind(store);
      // From then on the errors of the pool are ours
      store.close = () => {
        const closing = close();
        for (const each of this.#pools) if (each.listenerCount('error') === 0) each.on('error', ignore);
        return closing;
      };
      return store;
    });
  }

  allows(store: number, { op }: Call): boolean {
    const { user } = this.#specs[store]!;
    return user === 'reader' ? reading.has(op) : user !== 'nobody';
  }

  async trouble(name: string): Promise<{ readonly closes: boolean }> {
    const [begin, end] = troubles[name]!;
    if (end !== undefined) this.#ends.set(name, () => end(this));
    await begin(this);
    return { closes: false };
  }

  async calm(): Promise<void> {
    for (const end of this.#ends.values()) await end();
    this.#ends.clear();
  }

  width(store: number): number {
    return this.#specs[store]!.pool;
  }

  sql(text: string): Promise<{ readonly rows: readonly unknown[] }> {
    return this.#admin.query(text);
  }

  get #isOurs(): string {
    return `application_name = '${this.#session}'`;
  }

  endSessions(): Promise<unknown> {
    return this.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${this.#isOurs}`);
  }

  cancelStatements(): Promise<unknown> {
    return this.sql(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE ${this.#isOurs}`);
  }

  async configure(change: string): Promise<void> {
    await this.sql(`ALTER SYSTEM ${change}`);
    await this.sql('SELECT pg_reload_conf()');
  }

  /** Waits until new sessions begin so. */
  async shows(name: string, value: string): Promise<void> {
    await eventually(
      async () => {
        const client = new pg.Client({ connectionString: this.#url });
        client.on('error', ignore);
        await client.connect();
        const { rows } = await client.query(`SHOW ${name}`).finally(() => client.end());
        if (rows[0][name] !== value) throw new Error(`${name} is ${rows[0][name]}`);
      },
      { withinMs: 20_000 },
    );
  }

  async lock(): Promise<void> {
    if (this.#holder !== undefined) return;
    this.#holder = await this.#admin.connect();
    await this.#holder.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  }

  async unlock(): Promise<void> {
    await this.#holder?.query('COMMIT');
    this.#holder?.release();
    this.#holder = undefined;
  }

  async leftovers(): Promise<readonly string[]> {
    const left: string[] = [];
    for (const pool of this.#pools) {
      if (pool.totalCount > pool.idleCount) left.push('a borrowed connection');
      if (pool.waitingCount > 0) left.push('a wait for a connection');
      const listeners = [...pool.listeners('error'), ...pool.listeners('connect')];
      if (listeners.some(each => each !== ignore)) left.push('a listener of the pool');
    }
    return left;
  }

  async end(): Promise<void> {
    await this.calm();
    for (const pool of this.#pools) {
      await pool.end();
    }
    // A statement that nobody waits for any more must not reach into the next case
    await this.endSessions();
    await eventually(
      async () => {
        const { rows } = await this.sql(`SELECT FROM pg_stat_activity WHERE ${this.#isOurs}`);
        if (rows.length > 0) throw new Error('there are sessions');
      },
      { withinMs: 20_000 },
    );
    await this.sql(`DELETE FROM ${table}`);
  }
}

function ignore(): void {}
