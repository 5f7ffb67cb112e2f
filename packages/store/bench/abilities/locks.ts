import { startTcpProxy, type TcpProxy, within } from '@workspace/services';
import { Redis } from 'ioredis';
import pg from 'pg';
import Redlock from 'redlock';
import { postgresStore } from '../../src/adapters/postgres.ts';
import { redisStore } from '../../src/adapters/redis.ts';
import { Lease, type Store } from '../../src/index.ts';
import { postgresPlace, redisPlace } from '../places.ts';
import { settles } from './settles.ts';
import type { Trial } from './trial.ts';

const ttlMs = 500;
const withinMs = 3_000;

/** A lock as all of them have it: undefined while another holds it. */
interface Locker {
  lock(name: string): Promise<Held | undefined>;
}

interface Held {
  /** What a sink could compare, if there is something. */
  readonly token?: bigint | string;
  /** Whether the holder has been told that it is over. */
  isOver?(): boolean;
  unlock(): Promise<unknown>;
}

export async function locks(): Promise<AsyncDisposable & { readonly trials: readonly Trial[] }> {
  const onRedis = await redisPlace();
  const onPostgres = await postgresPlace();
  const redisProxy = await startTcpProxy({ target: onRedis.server.port });
  const postgresProxy = await startTcpProxy({ target: onPostgres.server.port });
  const url = onPostgres.server.url.replace(`:${onPostgres.server.port}/`, `:${postgresProxy.port}/`);
  const [pool, advisoryPool] = [0, 1].map(() => new pg.Pool({ connectionString: url })) as [pg.Pool, pg.Pool];
  advisoryPool.on('error', () => {});
  const redis = new Redis({ port: redisProxy.port, maxRetriesPerRequest: null });
  redis.on('error', () => {});
  const farRedis = redisStore({ redis });
  const farPostgres = postgresStore({ pool });
  const farRedlock = new Redlock([redis], { retryCount: 0 });

  const contestants: Record<string, Contestant> = {
    'Lease, redisStore': { near: leases(onRedis.store), far: leases(farRedis), proxy: redisProxy },
    'Lease, postgresStore': {
      near: leases(onPostgres.store),
      far: leases(farPostgres),
      proxy: postgresProxy,
    },
    redlock: { near: redlocks(onRedis.redlock), far: redlocks(farRedlock), proxy: redisProxy },
    'advisory locks': { near: advisory(onPostgres.pool), far: advisory(advisoryPool), proxy: postgresProxy },
  };
  const each = (attempt: (contestant: Contestant) => Promise<boolean>) =>
    Object.fromEntries(
      Object.entries(contestants).map(([name, contestant]) => [name, () => attempt(contestant)]),
    );
  const trials: Trial[] = [
    { ability: 'one holds it at a time', of: each(excludes) },
    { ability: 'has a token that grows, for a sink to compare', of: each(grows) },
    { ability: 'is free in time when its holder is cut off', of: each(frees) },
    { ability: 'tells a holder who is cut off, before another has it', of: each(tells) },
    { ability: 'fails in time when the server is silent', of: each(failsInTime) },
    {
      ability: 'gives it to who waits without being asked again and again',
      of: {
        'Lease, redisStore': no,
        'Lease, postgresStore': no,
        redlock: no,
        'advisory locks': () => waits(onPostgres.pool),
      },
    },
  ];
  return {
    trials,
    async [Symbol.asyncDispose]() {
      for (const proxy of [redisProxy, postgresProxy]) await proxy.stop();
      await farRedis.close();
      await farPostgres.close();
      redis.disconnect();
      for (const each of [pool, advisoryPool]) await settles(each.end(), withinMs);
      await onRedis[Symbol.asyncDispose]();
      await onPostgres[Symbol.asyncDispose]();
    },
  };
}

interface Contestant {
  readonly near: Locker;
  /** Through the proxy. */
  readonly far: Locker;
  readonly proxy: TcpProxy;
}

let names = 0;
const newName = () => `lock ${++names}`;
const no = async () => false;

async function excludes({ near, far }: Contestant): Promise<boolean> {
  const name = newName();
  const first = await near.lock(name);
  const second = await far.lock(name);
  await first?.unlock();
  const third = await far.lock(name);
  await third?.unlock();
  return first !== undefined && second === undefined && third !== undefined;
}

async function grows({ near }: Contestant): Promise<boolean> {
  const name = newName();
  const tokens: (bigint | string)[] = [];
  for (let i = 0; i < 10; i++) {
    const held = await near.lock(name);
    await held?.unlock();
    if (held?.token === undefined) return false;
    tokens.push(held.token);
  }
  return tokens.every((token, index) => index === 0 || token > tokens[index - 1]!);
}

/** Cuts a holder off, and gives what was seen of it. */
async function cutOff<T>(
  { far, proxy }: Contestant,
  name: string,
  look: (held: Held) => Promise<T>,
): Promise<T> {
  const held = (await far.lock(name))!;
  proxy.stall();
  try {
    return await look(held);
  } finally {
    proxy.resume();
    await settles(held.unlock(), withinMs);
  }
}

async function frees(contestant: Contestant): Promise<boolean> {
  const name = newName();
  return cutOff(contestant, name, () => isFreed(contestant.near, name));
}

async function tells(contestant: Contestant): Promise<boolean> {
  const name = newName();
  return cutOff(contestant, name, async held => {
    await isFreed(contestant.near, name);
    return held.isOver?.() ?? false;
  });
}

async function isFreed(near: Locker, name: string): Promise<boolean> {
  const freed = await within(withinMs, async () => {
    const next = await near.lock(name);
    await next?.unlock();
    return next === undefined ? undefined : true;
  });
  return freed === true;
}

async function failsInTime({ far, proxy }: Contestant): Promise<boolean> {
  proxy.stall();
  const locking = far.lock(newName());
  try {
    return await settles(locking, withinMs);
  } finally {
    proxy.resume();
    await settles(locking, withinMs);
  }
}

async function waits(pool: pg.Pool): Promise<boolean> {
  const [holder, waiter] = [await pool.connect(), await pool.connect()];
  await holder.query('SELECT pg_advisory_lock(7)');
  const waiting = waiter.query('SELECT pg_advisory_lock(7)');
  await holder.query('SELECT pg_advisory_unlock(7)');
  const isGiven = await settles(waiting, withinMs);
  for (const client of [holder, waiter]) client.release(true);
  return isGiven;
}

function leases(store: Store): Locker {
  return {
    async lock(name) {
      const lease = await Lease.tryAcquire(store, name, { ttlMs });
      return (
        lease && { token: lease.token, isOver: () => lease.signal.aborted, unlock: () => lease.release() }
      );
    },
  };
}

function redlocks(redlock: Redlock): Locker {
  return {
    async lock(name) {
      const lock = await redlock.lock(name, ttlMs).catch(() => undefined);
      return lock && { token: lock.value, unlock: () => lock.unlock().catch(() => {}) };
    },
  };
}

function advisory(pool: pg.Pool): Locker {
  const number = (name: string) => Number(/\d+/.exec(name)![0]);
  return {
    async lock(name) {
      const client = await pool.connect();
      let isOver = false;
      const end = () => {
        isOver = true;
      };
      client.on('error', end);
      const give = () => {
        client.removeListener('error', end);
        client.release();
      };
      const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS held', [number(name)]);
      if (!rows[0].held) return void give();
      return {
        isOver: () => isOver,
        async unlock() {
          await client.query('SELECT pg_advisory_unlock($1)', [number(name)]);
          give();
        },
      };
    },
  };
}
