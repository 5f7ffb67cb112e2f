import { leading, ReplicaSet } from '@ashlar/replica-failover';
import { postgresServers } from '@ashlar/replica-failover/postgres';
import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';
import { type LocalServer, servicesFor } from './services.ts';

const outcomes = 'outcome';

/** Three servers of PostgreSQL on loopback, and a fourth, which keeps the term. */
export interface PostgresServers extends AsyncDisposable {
  /** The primary first. */
  readonly ids: readonly string[];
  /** Connects as one process of an application that leads them. */
  connect(): Promise<ReplicaSet<pg.Client>>;
  server(id: string): LocalServer;
  /** Runs a statement at one server. */
  tell(id: string, statement: string): Promise<void>;
}

/**
 * They are gone when it is disposed of, or the process ends.
 *
 * @param tables statements that make the tables of the application
 * @throws ServersError when there is no PostgreSQL on this machine
 */
export async function startPostgresServers(tables: readonly string[]): Promise<PostgresServers> {
  const { startPostgres } = await servicesFor('postgres');
  const config = {
    wal_retrieve_retry_interval: '100ms', // how soon a standby follows another primary
    synchronous_standby_names: 'ANY 1 (standby0, standby1)',
  };
  const starting = [
    startPostgres({ own: true, standbys: 2, config }),
    // A term that a server forgets would be given twice
    startPostgres({ own: true, config: { fsync: true, full_page_writes: true } }),
  ] as const;
  const started = await Promise.allSettled(starting);
  const failed = started.find(each => each.status === 'rejected');
  if (failed !== undefined) {
    for (const each of started) if (each.status === 'fulfilled') await each.value.stop();
    throw failed.reason;
  }
  const [primary, terms] = await Promise.all(starting);
  const members = new Map<string, LocalServer>([
    ['postgres', primary],
    ...primary.standbys.map((server, index) => [`standby${index}`, server] as const),
  ]);
  const pool = new pg.Pool({ connectionString: terms.url, connectionTimeoutMillis: 1_000 });
  pool.on('error', () => {}); // The calls reject with it
  const store = postgresStore({ pool });
  const servers: PostgresServers = {
    ids: [...members.keys()],
    connect() {
      // #region connect
      const servers = postgresServers({
        servers: [...members].map(([id, { url, port }]) => ({
          id,
          connection: url,
          replication: `host=127.0.0.1 port=${port} user=postgres`,
        })),
        newClient: (connectionString: string) => new pg.Client({ connectionString }),
        outcomes,
      });
      return ReplicaSet.connect({ servers, authority: leading({ store }) });
      // #endregion
    },
    server: id => members.get(id)!,
    tell: (id, statement) => tell(members.get(id)!, statement),
    async [Symbol.asyncDispose]() {
      await store.close();
      await pool.end();
      await Promise.all([primary.stop(), terms.stop()]);
    },
  };
  try {
    await store.migrate();
    const outcome = `CREATE TABLE ${outcomes} (id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())`;
    for (const statement of [outcome, ...tables]) await tell(primary, statement);
    return servers;
  } catch (error) {
    await servers[Symbol.asyncDispose]();
    throw error;
  }
}

async function tell({ url }: LocalServer, statement: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 2_000,
    query_timeout: 5_000,
  });
  client.on('error', () => {}); // The statement rejects with it
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
