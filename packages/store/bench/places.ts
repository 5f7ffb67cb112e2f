import { KeyvPostgres } from '@keyv/postgres';
import KeyvRedis from '@keyv/redis';
import { type Postgres, type Redis as RedisServer, startPostgres, startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import Keyv from 'keyv';
import pg from 'pg';
import Redlock from 'redlock';
import { type PostgresStore, postgresStore } from '../src/adapters/postgres.ts';
import { redisStore } from '../src/adapters/redis.ts';
import type { ManagedStore } from '../src/index.ts';

/** A Redis with everybody who is measured on it. */
export interface RedisPlace extends AsyncDisposable {
  readonly server: RedisServer;
  readonly redis: Redis;
  readonly store: ManagedStore;
  readonly keyv: Keyv;
  readonly redlock: Redlock;
}

export async function redisPlace(): Promise<RedisPlace> {
  const server = await startRedis({ own: true });
  const redis = new Redis(server.port);
  const adapter = new KeyvRedis(server.url);
  const keyv = new Keyv({ store: adapter });
  const redlock = new Redlock([redis], { retryCount: 0 });
  redlock.on('clientError', () => {});
  const store = redisStore({ redis });
  await store.get('');
  return {
    server,
    redis,
    store,
    keyv,
    redlock,
    async [Symbol.asyncDispose]() {
      await store.close();
      await keyv.disconnect();
      redis.disconnect();
      await server.stop();
    },
  };
}

/** A PostgreSQL with everybody who is measured on it. It waits for its disk as one in earnest does. */
export interface PostgresPlace extends AsyncDisposable {
  readonly server: Postgres;
  readonly pool: pg.Pool;
  readonly store: PostgresStore;
  readonly keyv: Keyv;
}

export async function postgresPlace(): Promise<PostgresPlace> {
  const server = await startPostgres({ counting: true, config: { fsync: true, full_page_writes: true } });
  const pool = new pg.Pool({ connectionString: server.url });
  const keyv = new Keyv({ store: new KeyvPostgres({ uri: server.url }) });
  const store = postgresStore({ pool });
  await store.migrate();
  return {
    server,
    pool,
    store,
    keyv,
    async [Symbol.asyncDispose]() {
      await store.close();
      await keyv.disconnect();
      await pool.end();
      await server.stop();
    },
  };
}
