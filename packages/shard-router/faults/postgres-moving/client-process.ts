import { ReplicaSet } from '@ashlar/replica-failover';
import { postgresServers } from '@ashlar/replica-failover/postgres';
import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';
import { ShardRouter } from '../../src/router.ts';
import { work } from '../moving/working.ts';
import type { Settings } from './roles.ts';

const settings = JSON.parse(process.argv[2]!) as Settings;

const pool = new pg.Pool({ connectionString: settings.store });
pool.on('error', () => {});
const connected = Object.entries(settings.shards).map(async ([name, { urls }]) => {
  const servers = postgresServers({
    servers: urls.map((url, at) => ({ id: `${name} ${at}`, connection: url })),
    newClient: (connectionString: string) => new pg.Client({ connectionString }),
  });
  return [name, await ReplicaSet.connect({ name, servers })] as const;
});
const shards = Object.fromEntries(await Promise.all(connected));
const router = new ShardRouter({ shards, store: postgresStore({ pool }), key: 'text', leaseMs: 3_000 });
await router.ready();

await work(router, settings, {
  levels: ['session', 'strong'],
  write: (shard, customer, id, scope) =>
    shard.transaction(async db => {
      await db.query('INSERT INTO purchase VALUES ($1, $2)', [customer, id]);
      await db.query('UPDATE customer SET n = n + 1 WHERE id = $1', [customer]);
    }, scope),
  count: (shard, customer, id, scope) =>
    shard.read(async db => {
      const text = 'SELECT count(*)::int AS count FROM purchase WHERE customer = $1 AND id = $2';
      const { rows } = await db.query(text, [customer, id]);
      return rows[0].count as number;
    }, scope),
});
