import { eventually, type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { postgresMoves } from '../../src/adapters/postgres.ts';
import { moveConformance } from '../../src/conformance.ts';
import { Slots } from '../../src/keys/slots.ts';
import { halfOf } from '../support/half.ts';

const table = { key: ['id'], primaryKey: ['id'], columns: { id: 'text', note: 'text' } } as const;
const slots = new Slots('text', 16);
// More of them move than are deleted at a time
const keys = Array.from({ length: 2_600 }, (_, i) => `key ${i}`);
const insert = 'INSERT INTO notes VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET note = excluded.note';
/** As a session does that damages what was copied. */
const pastTheFence = 'SET session_replication_role = replica; SET ashlar.mover = on;';
const asBefore = 'RESET session_replication_role; RESET ashlar.mover';

let servers: readonly Postgres[];
let databases = 0;
beforeAll(async () => {
  const start = () => startPostgres({ own: true, config: { wal_retrieve_retry_interval: '100ms' } });
  servers = [await start(), await start()];
}, 60_000);
afterAll(async () => {
  for (const server of servers) await server.stop();
});

/** A database of its own on the server. */
async function database({ url, port }: Postgres, name: string) {
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const connection = { host: '127.0.0.1', port, user: 'postgres', database: name };
  const client = new pg.Client(connection);
  await client.connect();
  await client.query('CREATE TABLE notes (id text PRIMARY KEY, note text)');
  const replication = `host=127.0.0.1 port=${port} user=postgres dbname=${name}`;
  return { client, shard: { client: () => new pg.Client(connection), replication } };
}

/** What a test has left of a move would keep workers and senders of the server from those after it. */
async function unsubscribed(client: pg.Client): Promise<void> {
  const { rows } = await client.query(
    'SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())',
  );
  for (const { subname } of rows) {
    await client.query(`ALTER SUBSCRIPTION ${subname} DISABLE`);
    await client.query(`ALTER SUBSCRIPTION ${subname} SET (slot_name = NONE)`);
    await client.query(`DROP SUBSCRIPTION ${subname}`);
  }
}

async function withoutSlots(client: pg.Client): Promise<void> {
  const own = 'FROM pg_replication_slots WHERE database = current_database()';
  await client.query(`SELECT pg_terminate_backend(active_pid) ${own} AND active`);
  await eventually(() => client.query(`SELECT pg_drop_replication_slot(slot_name) ${own}`), {
    withinMs: 10_000,
  });
}

moveConformance(
  { describe, it },
  async () => {
    const name = `moves_${databases++}`;
    const [one, two] = [await database(servers[0]!, name), await database(servers[1]!, name)];
    const at = (shard: string) => (shard === 'one' ? one : two).client;
    const backends: ReturnType<typeof postgresMoves>[] = [];
    const write = async (shard: string, key: string, value: string | undefined) => {
      if (value === undefined) await at(shard).query('DELETE FROM notes WHERE id = $1', [key]);
      else await at(shard).query(insert, [key, value]);
    };
    return {
      // Slots of replication are the server's, and named by the move
      move: halfOf({ key: 'text', slots: 16, tables: { notes: table } }, name),
      moved: keys.filter(key => slots.of(key) < 8),
      others: keys.filter(key => slots.of(key) >= 8),
      backend() {
        const backend = postgresMoves({ shards: { one: one.shard, two: two.shard } });
        backends.push(backend);
        return backend;
      },
      write,
      async rows(shard) {
        const { rows } = await at(shard).query('SELECT id, note FROM notes');
        return Object.fromEntries(rows.map(({ id, note }) => [id, note]));
      },
      async damage(shard, key, value) {
        await at(shard).query(pastTheFence);
        await write(shard, key, value);
        await at(shard).query(asBefore);
      },
      async [Symbol.asyncDispose]() {
        for (const backend of backends) await backend.close();
        for (const { client } of [one, two]) await unsubscribed(client);
        for (const { client } of [one, two]) await withoutSlots(client);
        for (const { client } of [one, two]) await client.end();
      },
    };
  },
  { name: 'PostgreSQL' },
);
