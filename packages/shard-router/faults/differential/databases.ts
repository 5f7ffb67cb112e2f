import { ReplicaSet } from '@ashlar/replica-failover';
import { postgresServers } from '@ashlar/replica-failover/postgres';
import { startPostgres } from '@workspace/services';
import pg from 'pg';

export const shardNames = ['one', 'two', 'three', 'four'] as const;

/** One server of PostgreSQL with a database for each shard, and `whole`, which has all rows. */
export interface Databases extends AsyncDisposable {
  readonly shards: Readonly<Record<string, ReplicaSet<pg.Client>>>;
  /** Connected to a database, by its name. */
  client(database: string): Promise<pg.Client>;
  /** Another pool of connections to a shard, which is the caller's to close. */
  pool(shard: string, maxConnections: number): Promise<ReplicaSet<pg.Client>>;
}

/** A server that a busy machine keeps from answering is no server that is gone. */
const patience = { timeoutMs: 60_000, heartbeat: { deadlineMs: 30_000 } };

/** Starts them, each with these tables. @param config of a server of their own */
export async function startDatabases(
  ddl: string,
  config?: Readonly<Record<string, string | number>>,
): Promise<Databases> {
  const ends: (() => Promise<unknown>)[] = [];
  const dispose = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const server = await startPostgres(config && { own: true, config });
    ends.push(() => server.stop());
    const urlOf = (database: string) => server.url.replace(/[^/]*$/, database);
    const client = async (database: string) => {
      const connected = new pg.Client(urlOf(database));
      await connected.connect();
      ends.push(() => connected.end());
      return connected;
    };
    const pool = (name: string, maxConnections = 10) =>
      ReplicaSet.connect({
        name,
        servers: postgresServers({
          servers: [{ id: name, connection: urlOf(name) }],
          newClient: (connectionString: string) => new pg.Client({ connectionString }),
        }),
        maxConnections,
        ...patience,
      });
    const admin = await client('postgres');
    const shards: Record<string, ReplicaSet<pg.Client>> = {};
    for (const name of [...shardNames, 'whole']) {
      await admin.query(`DROP DATABASE IF EXISTS ${name}`);
      await admin.query(`CREATE DATABASE ${name}`);
      await (await client(name)).query(ddl);
      if (name === 'whole') continue;
      const set = await pool(name);
      ends.push(() => set.close());
      shards[name] = set;
    }
    return { shards, client, pool, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
