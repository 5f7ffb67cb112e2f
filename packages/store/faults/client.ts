import { Redis } from 'ioredis';
import pg from 'pg';
import { fencedUpdate, postgresStore } from '../src/adapters/postgres.ts';
import { fencedSet, redisStore } from '../src/adapters/redis.ts';
import type { FencingToken, ManagedStore } from '../src/index.ts';

export type Kind = 'redis' | 'postgres';

/** Where a server is reached on loopback. */
export interface Address {
  readonly kind: Kind;
  readonly port: number;
}

/** Something that is written to with a token. */
export interface Sink {
  /** @throws StaleTokenError */
  write(value: string, by: FencingToken): Promise<void>;
  read(): Promise<string | null>;
}

/** What a process has of a server: a store, and sinks there. */
export interface Client extends AsyncDisposable {
  readonly store: ManagedStore;
  sink(name: string): Sink;
}

export function connect(address: Address): Client {
  return address.kind === 'redis' ? redisClient(address) : postgresClient(address);
}

function redisClient({ port }: Address): Client {
  const redis = new Redis({ port, lazyConnect: true, retryStrategy: () => 50, maxRetriesPerRequest: 1 });
  redis.on('error', () => {});
  const store = redisStore({ redis });
  return {
    store,
    sink: name => ({
      write: (value, by) => fencedSet(redis, `sink ${name}`, value, by),
      read: () => redis.hget(`sink ${name}`, 'value'),
    }),
    async [Symbol.asyncDispose]() {
      await store.close();
      redis.disconnect();
    },
  };
}

export const sinkTable =
  'CREATE TABLE sink (name text PRIMARY KEY, value text, fence_token bigint, fence_holder text)';

function postgresClient({ port }: Address): Client {
  const pool = new pg.Pool({
    connectionString: `postgres://postgres@127.0.0.1:${port}/postgres`,
    connectionTimeoutMillis: 1_000,
    max: 8,
  });
  const store = postgresStore({ pool });
  return {
    store,
    sink: name => ({
      async write(value, by) {
        const row = { table: 'sink', key: { name }, set: { value } };
        if (await fencedUpdate(pool, row, by)) return;
        await pool.query('INSERT INTO sink (name) VALUES ($1) ON CONFLICT DO NOTHING', [name]);
        await fencedUpdate(pool, row, by);
      },
      async read() {
        const { rows } = await pool.query('SELECT value FROM sink WHERE name = $1', [name]);
        return (rows[0]?.value as string | undefined) ?? null;
      },
    }),
    async [Symbol.asyncDispose]() {
      await store.close();
      await pool.end();
    },
  };
}
