import { ReplicaSet } from '@ashlar/replica-failover';
import { postgresServers } from '@ashlar/replica-failover/postgres';
import { postgresMoves } from '@ashlar/shard-router/postgres';
import { postgresStore } from '@ashlar/store/postgres';
import { type LocalServer, servicesFor } from '@ashlar-examples/failover';
import pg from 'pg';
import { type ShardName, type Site, shardNames } from './site.ts';

type PostgresBackend = ReturnType<typeof postgresMoves>;

const table = 'CREATE TABLE wallets (owner text PRIMARY KEY, payments bigint NOT NULL)';

/**
 * Four servers of PostgreSQL on loopback, and a fifth, which keeps the map. They are gone when it is disposed of, or the process ends.
 *
 * @throws ServersError when there is no PostgreSQL on this machine
 */
export async function postgresSite(): Promise<Site> {
  const closing: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const end of closing.reverse()) await end();
  };
  try {
    return { ...(await openSite(end => closing.push(end))), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openSite(
  opened: (close: () => Promise<unknown>) => void,
): Promise<Omit<Site, keyof AsyncDisposable>> {
  const { startPostgres } = await servicesFor('postgres');
  const start = async (config: Readonly<Record<string, string | boolean>>) => {
    const server = await startPostgres({ own: true, config });
    opened(() => server.stop());
    return server;
  };
  // A map that a server forgets would send writes to two shards
  const { url } = await start({ fsync: true, full_page_writes: true });
  const pool = new pg.Pool({ connectionString: url });
  pool.on('error', () => {}); // The calls reject with it
  opened(() => pool.end());
  const store = postgresStore({ pool });
  opened(() => store.close());
  await store.migrate();
  // How soon a worker of replication that found nothing looks again
  const servers = await each(() => start({ wal_retrieve_retry_interval: '100ms' }));
  const shards = await each(async name => {
    await execute(servers[name].url, table);
    const shard = await connected(name, servers[name].url);
    opened(() => shard.close());
    return shard;
  });
  const backend = movesBetween(servers);
  opened(() => backend.close());
  return { title: 'on PostgreSQL', shards, store, backend };
}

// #region backend
function movesBetween(servers: Readonly<Record<ShardName, LocalServer>>): PostgresBackend {
  const administered = Object.entries(servers).map(([name, { url, port }]) => {
    const replication = `host=127.0.0.1 port=${port} user=postgres dbname=postgres`;
    return [name, { client: () => new pg.Client({ connectionString: url }), replication }] as const;
  });
  return postgresMoves({ shards: Object.fromEntries(administered) });
}
// #endregion

function connected(name: string, url: string): Promise<ReplicaSet<pg.Client>> {
  const servers = postgresServers({
    servers: [{ id: name, connection: url }],
    newClient: (connectionString: string) => new pg.Client({ connectionString }),
  });
  return ReplicaSet.connect({ name, servers });
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** One after the other, in the order of the names. */
async function each<T>(make: (name: ShardName) => Promise<T>): Promise<Record<ShardName, T>> {
  const made: Partial<Record<ShardName, T>> = {};
  for (const name of shardNames) made[name] = await make(name);
  return made as Record<ShardName, T>;
}
