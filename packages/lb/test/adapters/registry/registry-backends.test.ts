import { randomUUID } from 'node:crypto';
import { type ManagedStore, memoryStore } from '@ashlar/store';
import { postgresStore } from '@ashlar/store/postgres';
import { redisStore } from '@ashlar/store/redis';
import { type Postgres, type Redis as RedisServer, startPostgres, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { discover, register } from '../../../src/adapters/registry.ts';
import { Sets } from '../../support/discovery/sets.ts';
import { until } from '../../support/until.ts';

interface Site {
  /** Another view of the same state each time, as another process has it. */
  open(): Promise<ManagedStore>;
  /** Takes all that the backend holds. Absent where it cannot lose anything but itself. */
  lose?(): Promise<void>;
}

/** What every backend must do for a registry. */
function registryOver(site: () => Promise<Site>): void {
  const ttlMs = 1_000;

  it('tells who joins and leaves, in order, to everybody', async () => {
    const { open } = await site();
    const [one, two, three] = [await open(), await open(), await open()];
    const sets = [new Sets(discover(one, 'shop')), new Sets(discover(three, 'shop'))];
    const a = await register(one, { id: 'a', url: 'http://a' }, { service: 'shop', ttlMs });
    const b = await register(two, { id: 'b' }, { service: 'shop', ttlMs });
    for (const each of sets)
      await until(() => expect(each.latest).toEqual([{ id: 'a', url: 'http://a' }, { id: 'b' }]));
    await a.close();
    for (const each of sets) await until(() => expect(each.ids.at(-1)).toEqual(['b']));
    await b.close();
    for (const each of sets) await until(() => expect(each.ids.at(-1)).toEqual([]));
  });

  it('lets go of one whose process has gone without a word', async () => {
    const { open } = await site();
    const [mine, theirs] = [await open(), await open()];
    await using _a = await register(mine, { id: 'a' }, { ttlMs });
    await register(theirs, { id: 'b' }, { ttlMs });
    const sets = new Sets(discover(mine));
    await until(() => expect(sets.ids).toEqual([['a', 'b']]));
    await theirs.close(); // and with it its signs of life
    await until(() => expect(sets.ids).toEqual([['a', 'b'], ['a']]));
  });

  it('keeps everybody when the backend loses everything, and is whole again', async () => {
    const { open, lose } = await site();
    if (lose === undefined) return;
    const store = await open();
    const registrations = await Promise.all(['a', 'b', 'c'].map(id => register(store, { id }, { ttlMs })));
    const sets = new Sets(discover(store));
    await until(() => expect(sets.ids).toEqual([['a', 'b', 'c']]));
    await lose();
    const keys = ['a', 'b', 'c'].map(id => `lb/default/${id}`);
    await until(async () => expect(await store.getMany(keys)).not.toContain(undefined));
    await registrations[0]!.close();
    await until(() => expect(sets.ids.at(-1)).toEqual(['b', 'c']));
    expect(sets.ids).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c'],
    ]); // nobody was missing in between
    await Promise.all(registrations.map(each => each.close()));
  });
}

describe('a registry in memory', () => {
  registryOver(async () => {
    const store = memoryStore();
    onTestFinished(() => store.close());
    const open = async () => {
      const other = memoryStore({ port: store.connect() });
      onTestFinished(() => other.close());
      return other;
    };
    return { open };
  });
});

describeWith('redis', 'a registry in Redis', () => {
  let server: RedisServer;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  registryOver(async () => {
    const prefix = randomUUID();
    const open = async () => {
      const store = redisStore({ redis: new Redis({ port: server.port, lazyConnect: true }), prefix });
      onTestFinished(() => store.close());
      return store;
    };
    return { open, lose: async () => void (await admin.flushall()) };
  });
});

describeWith('postgres', 'a registry in PostgreSQL', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  registryOver(async () => {
    const table = `registry_${randomUUID().replaceAll('-', '')}`;
    const admin = new pg.Pool({ connectionString: server.url, max: 1 });
    onTestFinished(async () => {
      await admin.query(`DROP TABLE IF EXISTS ${table}`);
      await admin.end();
    });
    const open = async () => {
      const pool = new pg.Pool({ connectionString: server.url, max: 4 });
      pool.on('error', () => {});
      const store = postgresStore({ pool, table, durability: 'asynchronous', timeoutMs: 10_000 });
      onTestFinished(async () => {
        await store.close();
        await pool.end();
      });
      await store.migrate();
      return store;
    };
    return { open, lose: async () => void (await admin.query(`TRUNCATE ${table}`)) };
  });
});
