import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type RedisTierOptions, redisTier } from '../../../src/adapters/redis.ts';
import { Cache, type CacheOptions, cacheAside, writeThrough } from '../../../src/index.ts';
import { deferred, settle } from '../../support/caches.ts';
import { patient } from '../../support/redis/sessions.ts';

type Options = Partial<CacheOptions<string, string>>;

const patientMs = 60_000;

describeWith('redis', 'many keys and long values over Redis', () => {
  let server: Server;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  /** Caches over one prefix, each connected. */
  function processes(tier: Partial<RedisTierOptions> = {}) {
    const prefix = randomUUID();
    return async (options: Options) => {
      const redis = new Redis({ port: server.port, lazyConnect: true });
      const remote = redisTier({ redis, prefix, timeoutMs: 10_000, ...tier });
      const cache = new Cache<string, string>({ max: 100_000, remote, leaseMs: patientMs, ...options });
      onTestFinished(() => cache.close());
      const isConnected = () => cache.snapshot().remote?.session.connected;
      await expect.poll(isConnected, patient).toBe(true);
      return cache;
    };
  }

  /** How many scripts the server has run. */
  async function scripts(): Promise<number> {
    const [, calls] = /cmdstat_evalsha:calls=(\d+)/u.exec(await admin.info('commandstats')) ?? [];
    return Number(calls ?? 0);
  }

  const keys = (n: number) => Array.from({ length: n }, (_, i) => `key ${i}`);
  const pairs = (names: readonly string[]) => names.map(key => [key, `row ${key}`] as const);

  it('goes in batches of at most 500 keys', async () => {
    const cache = await processes()({ loadMany: async names => pairs(names) });
    await expect.poll(() => cache.snapshot().remote!.session.connected, patient).toBe(true);
    const longest = () => admin.call('SLOWLOG', 'GET', '-1') as Promise<[number, number, number, string[]][]>;
    await admin.config('SET', 'slowlog-log-slower-than', 0);
    await admin.config('SET', 'slowlog-max-len', 10_000);
    onTestFinished(() => admin.config('SET', 'slowlog-log-slower-than', 10_000).then(() => {}));
    await admin.call('SLOWLOG', 'RESET');
    const before = await scripts();
    await cache.getMany(keys(2_001));
    // five reads and five fills, and few checks
    await expect.poll(async () => (await scripts()) - before, patient).toBeGreaterThanOrEqual(10);
    const numbers = (await longest())
      .filter(([, , , words]) => /^evalsha$/i.test(words[0]!))
      .map(entry => Number(entry[3][2]));
    // the value and the lease of each, and one for all
    expect(Math.max(...numbers)).toBeLessThanOrEqual(1_001);
  });

  it('tells of its connection and of what failed on its channels', async () => {
    const told: unknown[] = [];
    for (const name of ['connection', 'tier-failed']) {
      const listener = (message: object) => void told.push({ name, ...message });
      subscribe(`ashlar:cache-policies:${name}`, listener as never);
      onTestFinished(() => void unsubscribe(`ashlar:cache-policies:${name}`, listener as never));
    }
    const cache = await processes()({ name: 'told', load: async key => key });
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const connections = () => told.filter(each => (each as { name: string }).name === 'connection');
    await expect.poll(connections, patient).toMatchObject([
      { cache: 'told', state: 'connected' },
      { cache: 'told', state: 'disconnected' },
      { cache: 'told', state: 'connected' },
    ]);
    await admin.config('SET', 'maxmemory', 1);
    onTestFinished(() => admin.config('SET', 'maxmemory', 0).then(() => {}));
    await cache.get('a');
    await expect
      .poll(() => told, patient)
      .toContainEqual(
        expect.objectContaining({ name: 'tier-failed', cache: 'told', error: expect.any(Error) }),
      );
  });

  it.each([
    ['loadMany', async (names: readonly string[]) => pairs(names), undefined],
    ['load', undefined, async (key: string) => `row ${key}`],
  ])('getMany while another process loads: few commands, no load here, %s', async (_, loadMany, load) => {
    const start = processes();
    const hold = deferred<void>();
    const loader = await start({ loadMany: names => hold.promise.then(() => pairs(names)) });
    let loads = 0;
    const waiter = await start({
      ...{ leaseMs: 60_000, leaseWaitMs: 60_000 },
      ...(loadMany && { loadMany: names => loadMany(names).finally(() => (loads += names.length)) }),
      ...(load && { load: key => load(key).finally(() => loads++) }),
    });
    const names = keys(500);
    const loaded = loader.getMany(names);
    await settle();
    await expect.poll(() => admin.dbsize(), patient).toBeGreaterThanOrEqual(500);
    const before = await scripts();
    const waited = waiter.getMany(names);
    await expect.poll(() => scripts(), patient).toBeGreaterThan(before + 8);
    hold.resolve();
    expect((await loaded).size).toBe(500);
    expect([...(await waited).entries()]).toEqual(pairs(names));
    expect(loads).toBe(0);
    // a read of all keys each time, and the checks of both caches; a read of each key would be thousands
    expect((await scripts()) - before).toBeLessThan(500);
  });

  it.each(['getMany', 'get'] as const)(
    '20 000 keys cold and then warm, by %s',
    async method => {
      await admin.flushall();
      const start = processes();
      const names = keys(20_000);
      const read = async (cache: Cache<string, string>) =>
        method === 'getMany'
          ? (await cache.getMany(names)).size
          : (await Promise.all(names.map(name => cache.get(name)))).filter(Boolean).length;
      const load = async (key: string) => `row ${key}`;
      const cold = await start({ load });
      const before = await scripts();
      expect(await read(cold)).toBe(20_000);
      await expect.poll(() => cold.snapshot().loading, { timeout: patientMs }).toBe(0);
      const { resets, remote, size, loads } = cold.snapshot();
      expect({ resets, failures: remote?.failures, loads, size }).toEqual({
        resets: 1, // when it connected
        failures: 0,
        loads: 20_000,
        size: 20_000,
      });
      expect((await scripts()) - before).toBeLessThan(2_000);
      const warm = await start({ load });
      expect(await read(warm)).toBe(20_000);
      expect(warm.snapshot()).toMatchObject({ loads: 0, remoteHits: 20_000, remote: { failures: 0 } });
    },
    120_000,
  );

  it.each([
    ['without a strategy', undefined],
    ['writeThrough', writeThrough<string, string>({ write: async () => {} })],
    ['cacheAside', cacheAside<string, string>({ write: async () => {} })],
  ])(
    '20 000 writes and deletes at once, %s',
    async (_, write) => {
      const start = processes();
      const cache = await start(write === undefined ? {} : { write });
      const other = await start({});
      const names = keys(20_000);
      const before = await scripts();
      await Promise.all(names.map(name => cache.set(name, 'x')));
      if (write?.kind !== 'cacheAside') expect((await other.getMany(names)).size).toBe(20_000);
      await Promise.all(names.map(name => cache.delete(name)));
      const last = await start({}); // with nothing of its own
      expect((await last.getMany(names)).size).toBe(0);
      expect((await scripts()) - before).toBeLessThan(2_000);
      const { writeFailures, resets, remote } = cache.snapshot();
      expect({ writeFailures, resets, failures: remote?.failures }).toEqual({
        writeFailures: 0,
        resets: 1, // when it connected
        failures: 0,
      });
    },
    120_000,
  );

  it('many long values at once', async () => {
    const start = processes();
    const value = 'x'.repeat(1_000_000);
    const load = async () => value;
    const names = keys(50);
    const [cold, warm] = [await start({ load }), await start({ load })];
    expect([...(await cold.getMany(names)).values()].every(found => found === value)).toBe(true);
    await expect.poll(() => cold.snapshot().loading, patient).toBe(0);
    expect([...(await warm.getMany(names)).values()].every(found => found === value)).toBe(true);
    expect(warm.snapshot()).toMatchObject({ loads: 0, remote: { failures: 0 } });
  });

  it.each([
    ['the server takes', {}, 1_048_576],
    ['`maxValueBytes` allows', { maxValueBytes: 1_000 }, 1_000],
  ])('a value longer than %s is kept in this process, and costs no connection', async (_, tier, maxBytes) => {
    const [, usual] = (await admin.config('GET', 'proto-max-bulk-len')) as [string, string];
    onTestFinished(() => admin.config('SET', 'proto-max-bulk-len', usual).then(() => {}));
    await admin.config('SET', 'proto-max-bulk-len', 1_048_576);
    const start = processes(tier);
    let loads = 0;
    const cache = await start({
      load: async key => key.repeat(key === 'long' ? 1_000_000 : 1).concat(`${++loads}`),
    });
    expect(await cache.get('short')).toBe('short1');
    for (let i = 0; i < 3; i++) {
      expect((await cache.get('long'))?.length).toBe(4_000_001);
      await expect.poll(() => cache.snapshot().loading, patient).toBe(0);
    }
    const refused = { code: 'ASHLAR_CACHE_POLICIES_VALUE_TOO_LONG', bytes: 5_000_002, maxBytes };
    await expect(cache.set('long', 'x'.repeat(5_000_000))).rejects.toMatchObject({
      outcome: 'NotExecuted',
      cause: refused,
    });
    // On a busy machine the tier may just not have confirmed in time what is kept
    await expect.poll(() => cache.peek('short'), patient).toBe('short1');
    expect(loads).toBe(2);
    expect(cache.snapshot()).toMatchObject({ resets: 1, remote: { failures: 2, pendingInvalidations: 0 } });
    // a change elsewhere drops it
    const other = await start({});
    expect((await cache.get('long'))?.length).toBe(4_000_001);
    await expect.poll(() => cache.peek('long'), patient).toBeDefined();
    await other.delete('long');
    await expect.poll(() => cache.peek('long'), patient).toBeUndefined();
  });
});
