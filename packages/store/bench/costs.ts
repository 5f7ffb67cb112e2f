import { type Bench, type Contest, cost, costOver } from '@workspace/bench';
import { setScript } from '../src/adapters/redis/scripts.ts';
import { type PostgresPlace, postgresPlace, type RedisPlace, redisPlace } from './places.ts';

const value = new Uint8Array(100).fill(120);
const text = 'x'.repeat(100);

/** The most that a call may cost over the bare call of ioredis. */
const targetMicros = 20;

function onRedis(contest: (place: RedisPlace) => Promise<Omit<Contest, typeof Symbol.asyncDispose>>) {
  return async (): Promise<Contest> => {
    const place = await redisPlace();
    return { ...(await contest(place)), [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() };
  };
}

function onPostgres(contest: (place: PostgresPlace) => Promise<Omit<Contest, typeof Symbol.asyncDispose>>) {
  return async (): Promise<Contest> => {
    const place = await postgresPlace();
    return { ...(await contest(place)), [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() };
  };
}

const redisGet = onRedis(async ({ redis, store, keyv }) => {
  await store.set('key', value);
  await redis.set('bare', Buffer.from(value));
  await keyv.set('key', text);
  return {
    ours: ['redisStore', () => store.get('key')],
    peers: { 'ioredis getBuffer': () => redis.getBuffer('bare'), keyv: () => keyv.get('key') },
  };
});

const redisSet = onRedis(async ({ redis, store, keyv }) => {
  const buffer = Buffer.from(value);
  const { source, keys } = setScript;
  const sha = (await redis.script('LOAD', source)) as string;
  const names = ['index', 'expiry', 'log', 'meta', 'values:', 'values:key'].map(name => `{bare}:${name}`);
  return {
    ours: ['redisStore', () => store.set('key', value)],
    peers: {
      'ioredis set': () => redis.set('bare', buffer),
      'ioredis evalsha of the same script': () => redis.evalsha(sha, keys, ...names, 'key', buffer, ''),
      keyv: () => keyv.set('key', text),
    },
  };
});

const redisClaim = onRedis(async ({ redis, store, redlock }) => ({
  ours: [
    'redisStore claim, release',
    async () => store.release('name', (await store.claim('name', 'a', 10_000))!.token),
  ],
  peers: {
    'ioredis set NX PX, del': async () => {
      await redis.set('bare', 'a', 'PX', 10_000, 'NX');
      await redis.del('bare');
    },
    'redlock lock, unlock': async () => (await redlock.lock('locked', 10_000)).unlock(),
  },
}));

const postgresGet = onPostgres(async ({ pool, store, keyv }) => {
  await store.set('key', value);
  await pool.query('CREATE TABLE bare (key bytea PRIMARY KEY, value bytea)');
  await pool.query('INSERT INTO bare VALUES ($1, $2)', [Buffer.from('key'), Buffer.from(value)]);
  await keyv.set('key', text);
  const query = { name: 'bare', text: 'SELECT value FROM bare WHERE key = $1', values: [Buffer.from('key')] };
  return {
    ours: ['postgresStore', () => store.get('key')],
    peers: { 'pg, prepared': () => pool.query(query), keyv: () => keyv.get('key') },
  };
});

const postgresSet = onPostgres(async ({ pool, store, keyv }) => {
  await pool.query('CREATE TABLE bare (key bytea PRIMARY KEY, value bytea)');
  const query = {
    name: 'bare',
    text: 'INSERT INTO bare VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    values: [Buffer.from('key'), Buffer.from(value)],
  };
  return {
    ours: ['postgresStore', () => store.set('key', value)],
    peers: { 'pg, prepared': () => pool.query(query), keyv: () => keyv.set('key', text) },
  };
});

const postgresClaim = onPostgres(async ({ pool, store }) => {
  const take = { name: 'take', text: 'SELECT pg_try_advisory_lock(1)' };
  const give = { name: 'give', text: 'SELECT pg_advisory_unlock(1)' };
  return {
    ours: [
      'postgresStore claim, release',
      async () => store.release('name', (await store.claim('name', 'a', 10_000))!.token),
    ],
    peers: {
      'advisory lock, unlock': async () => {
        const client = await pool.connect();
        await client.query(take);
        await client.query(give);
        client.release();
      },
    },
  };
});

export const costs: readonly Bench[] = [
  cost('get on Redis', redisGet),
  costOver('get on Redis, over ioredis', targetMicros, redisGet),
  cost('set on Redis', redisSet),
  costOver('set on Redis, over ioredis', targetMicros, redisSet),
  cost('claim and release on Redis', redisClaim),
  cost('get on PostgreSQL', postgresGet),
  cost('set on PostgreSQL', postgresSet),
  cost('claim and release on PostgreSQL', postgresClaim),
];
