import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';
import { ShardRouter } from '../../src/router.ts';
import { work } from '../moving/working.ts';
import { connected, type Settings } from './roles.ts';

const settings = JSON.parse(process.argv[2]!) as Settings;

const pool = new pg.Pool({ connectionString: settings.store });
pool.on('error', () => {});
const store = postgresStore({ pool });
const shards = await connected(settings.shards);
const router = new ShardRouter({ shards, store, key: 'text', leaseMs: 3_000 });
await router.ready();

await work(router, settings, {
  levels: ['session'],
  write: (shard, customer, id, scope) =>
    shard.write(
      db =>
        db.multi([
          ['SADD', `${db.tag}writes of ${customer}`, id],
          ['HINCRBY', `${db.tag}${customer}`, 'n', 1],
        ]),
      scope,
    ),
  count: (shard, customer, id, scope) =>
    shard.read(async db => Number(await db.call('SISMEMBER', `${db.tag}writes of ${customer}`, id)), scope),
});
