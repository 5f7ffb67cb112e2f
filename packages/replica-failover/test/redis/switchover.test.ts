import { LeaseLostError } from '@ashlar/store';
import { postgresStore } from '@ashlar/store/postgres';
import { type Postgres, startPostgres } from '@workspace/services';
import type { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RedisReplication, startReplication } from '../../faults/redis/replication.ts';
import type { ReplicaSet } from '../../src/index.ts';
import { ledServers } from '../led.ts';

// The term is kept in PostgreSQL, as it must not be on the servers that are led
describe('switchover over Redis, where the set leads', () => {
  let database: Postgres;
  let pool: pg.Pool;
  const led = ledServers(startReplication);
  let replication: RedisReplication;
  let name: string;
  let tests = 0;
  beforeAll(async () => {
    database = await startPostgres({ config: { fsync: true, full_page_writes: true } });
    pool = new pg.Pool({ connectionString: database.url });
    pool.on('error', () => {}); // The end of the server may come before that of its sessions
    await postgresStore({ pool }).migrate();
  });
  afterAll(async () => {
    await pool.end();
    await database.stop();
  });
  beforeEach(() => {
    replication = led.servers;
    name = `set-${tests++}`;
  });
  const connect = (options?: { recruitMs?: number }) =>
    led.connect(
      { name, servers: replication.servers({ acknowledge: 1 }), timeoutMs: 20_000 },
      { store: postgresStore({ pool }), ...options },
    );
  /** Again when this process has stood still for so long that it lost its lease: that is taken back. */
  const handOver = async (set: ReplicaSet<Redis>, to: string) => {
    for (;;) {
      try {
        return await set.switchover({ to });
      } catch (error) {
        if (!(error instanceof LeaseLostError)) throw error;
        await expect.poll(() => set.snapshot().leading?.phase).toBe('serving');
      }
    }
  };
  const seen = (set: ReplicaSet<Redis>, id: string) => set.snapshot().servers.find(each => each.id === id);

  it('hands over there and back while two processes write, without an error; the old primary follows', async () => {
    const both = [await connect(), await connect()];
    const counts = [0, 0];
    let isOver = false;
    const writers = both.map(async (set, writer) => {
      while (!isOver) {
        const n = counts[writer]!++;
        const push = (db: Redis) => db.rpush(`list-${writer}`, n);
        if (n % 3 === 0) await set.transaction(push);
        else if (n % 3 === 1) await set.write(push);
        // Commands that are executed one by one, which the pause must not part
        else await set.write(async db => [await db.incr('n'), await push(db), await db.decr('n')]);
      }
    });
    const more = async () => {
      const then = Math.min(...counts);
      await expect.poll(() => Math.min(...counts), { timeout: 60_000 }).toBeGreaterThan(then + 20);
    };
    await more();
    const there = await handOver(both[0]!, 'replica0');
    expect(there).toMatchObject({ from: 'primary', to: 'replica0', before: 'rejoins' });
    expect(there.term).toBeGreaterThan(1);
    await more();
    await expect.poll(() => seen(both[0]!, 'primary')).toMatchObject({ state: 'up', role: 'replica' });
    const back = await handOver(both[1]!, 'primary');
    expect(back).toMatchObject({ from: 'replica0', to: 'primary', before: 'rejoins' });
    expect(back.term).toBeGreaterThan(there.term);
    await more();
    isOver = true;
    await Promise.all(writers);
    for (const [writer, count] of counts.entries()) {
      const list = await both[0]!.read(db => db.lrange(`list-${writer}`, 0, -1));
      expect(list.map(Number)).toEqual(Array.from({ length: count }, (_, n) => n));
    }
    expect(await both[0]!.read(db => db.get('n'))).toBe('0');
  });

  it('is taken back when too few replicas can be recruited, and writes go on', async () => {
    const set = await connect({ recruitMs: 300 });
    await set.write(db => db.set('a', '1'));
    const other = replication.members.get('replica1')!;
    other.pause();
    try {
      await expect(set.switchover({ to: 'replica0' })).rejects.toThrow(/1 of the 2 standbys/);
      await set.write(db => db.set('a', '2'));
      expect(set.snapshot()).toMatchObject({ primary: 'primary', term: 2 });
    } finally {
      other.resume();
    }
  });

  it('a primary that was drained refuses writes of whoever asks, and loses nothing that was written before', async () => {
    const [server, candidate] = replication.servers({ acknowledge: 1 });
    const never = new AbortController().signal;
    await using administration = await server!.administer!(2, never);
    await administration.position(); // notes with the data of which history it is
    await replication.tell('primary', 'SET', 'a', '1');
    const end = await administration.drain(never);
    await expect(replication.tell('primary', 'SET', 'a', '2')).rejects.toThrow(/NOREPLICAS/);
    await using next = await candidate!.administer!(2, never);
    await expect.poll(async () => (await next.position()).offset >= end.offset).toBe(true);
    expect(await replication.tell('replica0', 'GET', 'a')).toBe('1');
    await administration.require([], 1);
    expect(await replication.tell('primary', 'SET', 'a', '2')).toBe('OK');
    await server![Symbol.asyncDispose]();
    await candidate![Symbol.asyncDispose]();
  });
});
