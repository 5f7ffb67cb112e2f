import { KeyvPostgres } from '@keyv/postgres';
import KeyvRedis from '@keyv/redis';
import { startPostgres, startRedis, startTcpProxy, type TcpProxy } from '@workspace/services';
import { Redis } from 'ioredis';
import Keyv from 'keyv';
import pg from 'pg';
import { postgresStore, postgresTable } from '../../src/adapters/postgres.ts';
import { redisStore } from '../../src/adapters/redis.ts';
import { type ManagedStore, VersionConflictError } from '../../src/index.ts';
import { settles } from './settles.ts';
import type { Trial } from './trial.ts';

const hourMs = 3_600_000;
const withinMs = 3_000;

/** Values as all of them have them. */
interface Values {
  get(key: string): Promise<Uint8Array | undefined>;
  set(key: string, value: Uint8Array, ttlMs?: number): Promise<unknown>;
}

export async function values(): Promise<AsyncDisposable & { readonly trials: readonly Trial[] }> {
  const redisServer = await startRedis({ own: true });
  const postgresServer = await startPostgres({ config: { fsync: true, full_page_writes: true } });
  const redisProxy = await startTcpProxy({ target: redisServer.port });
  const postgresProxy = await startTcpProxy({ target: postgresServer.port });
  const url = postgresServer.url.replace(`:${postgresServer.port}/`, `:${postgresProxy.port}/`);
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 1_000 });
  pool.on('error', () => {});
  await pool.query(postgresTable());
  const redis = new Redis({ port: redisProxy.port, lazyConnect: true });
  const stores: Record<string, readonly [ManagedStore, TcpProxy]> = {
    redisStore: [redisStore({ redis }), redisProxy],
    postgresStore: [postgresStore({ pool }), postgresProxy],
  };
  const keyvs: Record<string, readonly [Keyv, TcpProxy]> = {
    'keyv, Redis': [new Keyv({ store: new KeyvRedis(`redis://127.0.0.1:${redisProxy.port}`) }), redisProxy],
    'keyv, PostgreSQL': [new Keyv({ store: new KeyvPostgres({ uri: url }) }), postgresProxy],
  };
  for (const [keyv] of Object.values(keyvs)) keyv.on('error', () => {});
  const all: Record<string, readonly [Values, TcpProxy]> = {
    ...Object.fromEntries(
      Object.entries(stores).map(([name, [store, proxy]]) => [name, [ofStore(store), proxy]]),
    ),
    ...Object.fromEntries(
      Object.entries(keyvs).map(([name, [keyv, proxy]]) => [name, [ofKeyv(keyv), proxy]]),
    ),
  };
  const each = (attempt: (values: Values, proxy: TcpProxy) => Promise<boolean>) =>
    Object.fromEntries(Object.entries(all).map(([name, [one, proxy]]) => [name, () => attempt(one, proxy)]));
  const ours = (attempt: (store: ManagedStore) => Promise<boolean>) => ({
    ...Object.fromEntries(Object.entries(stores).map(([name, [store]]) => [name, () => attempt(store)])),
    ...Object.fromEntries(Object.keys(keyvs).map(name => [name, undefined])),
  });
  const trials: Trial[] = [
    { ability: 'bytes come back as they were', of: each(keepsBytes) },
    { ability: 'takes keys with every byte below 256', of: each(keepsKeys) },
    { ability: 'a value lasts when the clock of a client is an hour ahead', of: each(lastsByServer) },
    { ability: 'replaces only a version that is known', of: ours(compares) },
    { ability: 'lists what begins with a prefix, in order', of: ours(lists) },
    { ability: 'tells what changes', of: ours(watches) },
    { ability: 'fails in time when the server is silent', of: each(failsInTime) },
  ];
  return {
    trials,
    async [Symbol.asyncDispose]() {
      for (const proxy of [redisProxy, postgresProxy]) await proxy.stop();
      for (const [store] of Object.values(stores)) await store.close();
      for (const [keyv] of Object.values(keyvs)) await settles(keyv.disconnect(), withinMs);
      await settles(pool.end(), withinMs);
      await redisServer.stop();
      await postgresServer.stop();
    },
  };
}

function ofStore(store: ManagedStore): Values {
  return {
    get: async key => (await store.get(key))?.value,
    set: (key, value, ttlMs) => store.set(key, value, ttlMs === undefined ? {} : { ttlMs }),
  };
}

function ofKeyv(keyv: Keyv): Values {
  return {
    get: key => keyv.get<Uint8Array>(key),
    set: (key, value, ttlMs) => keyv.set(key, Buffer.from(value), ttlMs),
  };
}

async function keepsBytes(values: Values): Promise<boolean> {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  await values.set('bytes', bytes);
  const found = await values.get('bytes');
  return found instanceof Uint8Array && Buffer.compare(found, bytes) === 0;
}

async function keepsKeys(values: Values): Promise<boolean> {
  for (let code = 0; code < 256; code++) {
    const key = `key ${String.fromCharCode(code)}`;
    await values.set(key, Buffer.of(code)).catch(() => {});
    if ((await values.get(key).catch(() => undefined))?.[0] !== code) return false;
  }
  return true;
}

async function lastsByServer(values: Values): Promise<boolean> {
  await values.set('lasts', Buffer.of(1), 60_000);
  const { now } = Date;
  Date.now = () => now() + hourMs;
  try {
    return (await values.get('lasts')) !== undefined;
  } finally {
    Date.now = now;
  }
}

async function compares(store: ManagedStore): Promise<boolean> {
  const version = await store.set('compared', Buffer.of(1));
  await store.set('compared', Buffer.of(2), { ifVersion: version });
  const late = await store
    .set('compared', Buffer.of(3), { ifVersion: version })
    .catch((error: unknown) => error);
  return late instanceof VersionConflictError;
}

async function lists(store: ManagedStore): Promise<boolean> {
  for (const key of ['p:b', 'q:a', 'p:c', 'p:a']) await store.set(key, Buffer.of(1));
  const found: string[] = [];
  for await (const { key } of store.list('p:')) found.push(key);
  return found.join() === 'p:a,p:b,p:c';
}

async function watches(store: ManagedStore): Promise<boolean> {
  const end = new AbortController();
  const changes = store.watch('watched', { signal: end.signal })[Symbol.asyncIterator]();
  await store.set('watched', Buffer.of(1));
  const isTold = await settles(changes.next(), withinMs);
  end.abort();
  return isTold;
}

async function failsInTime(values: Values, proxy: TcpProxy): Promise<boolean> {
  proxy.stall();
  const getting = values.get('bytes');
  try {
    return await settles(getting, withinMs);
  } finally {
    proxy.resume();
    await settles(getting, withinMs);
  }
}
