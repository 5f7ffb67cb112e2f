import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { eventually, type Redis as RedisServer, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { RedisBackend } from '../../src/adapters/redis/backend.ts';
import { fencedSet, type RedisStoreOptions, redisStore } from '../../src/adapters/redis.ts';
import { Mirror } from '../../src/conformance/tools.ts';
import {
  BackendStore,
  InvalidValueError,
  type ManagedStore,
  StaleTokenError,
  StoreUnavailableError,
  UnsafeBackendError,
} from '../../src/index.ts';
import { bytes, textOf } from '../support/bytes.ts';
import { ending } from '../support/stores.ts';

const soon = { withinMs: 20_000 };

/** None of these tests is about it, and a busy machine needs it. */
const timeoutMs = 20_000;

describeWith('redis', 'a Redis as it may be found', () => {
  let server: RedisServer;
  let admin: Redis;
  beforeEach(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
    return async () => {
      admin.disconnect();
      await server.stop();
    };
  });

  const open = (
    options: Partial<RedisStoreOptions> = {},
    client: { username?: string; password?: string; enableReadyCheck?: boolean } = {},
  ): ManagedStore =>
    ending(
      redisStore({
        redis: new Redis({ port: server.port, lazyConnect: true, ...client }),
        timeoutMs,
        ...options,
      }),
    );

  const warnings = (): string[] => {
    const told: string[] = [];
    const listen = (message: unknown) => void told.push((message as { warning: string }).warning);
    subscribe('ashlar:store:warning', listen);
    onTestFinished(() => void unsubscribe('ashlar:store:warning', listen));
    return told;
  };

  it('is refused while it may evict, reported, and taken once it may not', async () => {
    const told = warnings();
    await admin.config('SET', 'maxmemory-policy', 'volatile-lru');
    const store = open();
    for (const attempt of [store.set('key', bytes('1')), store.get('key'), store.claim('name', 'a', 1_000)]) {
      await expect(attempt).rejects.toMatchObject({ code: UnsafeBackendError.code, outcome: 'NotExecuted' });
    }
    await expect(store.get('key')).rejects.toThrow('its maxmemory-policy is volatile-lru, not noeviction');
    expect(told[0]).toContain('volatile-lru');
    await open({ allowEviction: true, prefix: 'other' }).set('key', bytes('1'));
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
    await eventually(() => store.set('key', bytes('2')), soon);
  });

  it('is taken with a warning when it does not tell', async () => {
    const told = warnings();
    await admin.call('ACL', 'SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-info', '-config');
    const store = open({}, { username: 'limited', password: 'secret', enableReadyCheck: false });
    await store.set('key', bytes('1'));
    expect(told).toEqual(['Redis does not let its maxmemory-policy be seen, which must be noeviction']);
  });

  it('says at once that it does not let us in', async () => {
    await admin.config('SET', 'requirepass', 'secret');
    const store = open({}, { password: 'wrong' });
    const error: unknown = await store.set('key', bytes('1')).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: StoreUnavailableError.code, outcome: 'NotExecuted' });
    // And not that its time was over
    expect((error as Error).message).toContain('WRONGPASS');
    // ioredis keeps the command beside the reply, which printing the error prints
    expect(inspect(error, { depth: 10 })).toContain("name: 'auth'");
    expect(inspect(error, { depth: 10 })).not.toContain("'wrong'");
    await open({}, { password: 'secret' }).set('key', bytes('1'));
  });

  it('refuses what it has no memory for, and still answers', async () => {
    const store = open();
    await admin.config('SET', 'maxmemory', '4mb');
    const filling = async () => {
      for (let i = 0; i < 100; i++) await store.set(`key-${i}`, new Uint8Array(100_000));
    };
    await expect(filling()).rejects.toMatchObject({
      code: StoreUnavailableError.code,
      outcome: 'NotExecuted',
    });
    expect((await store.get('key-0'))?.value.length).toBe(100_000);
    await admin.flushall();
    const many = Array.from({ length: 100 }, (_, i) => [`key-${i}`, new Uint8Array(100_000)] as const);
    await expect(store.setMany(many)).rejects.toMatchObject({
      code: StoreUnavailableError.code,
      outcome: 'Unknown', // the first ones are set
    });
    expect((await store.get('key-0'))?.value.length).toBe(100_000);
    expect(await store.delete('key-0')).toBe(true);
    await admin.config('SET', 'maxmemory', '0');
    await store.set('key', bytes('1'));
  });

  it('may forget the scripts at any time', async () => {
    const store = open();
    const stop = new AbortController();
    const flushing = (async () => {
      while (!stop.signal.aborted) await admin.script('FLUSH');
    })();
    for (let i = 0; i < 50; i++) {
      const version = await store.set('key', bytes(String(i)));
      expect((await store.get('key'))?.version).toBe(version);
      await store.claim('name', 'a', 1_000);
    }
    const entries = Array.from({ length: 3_000 }, (_, i) => [`key-${i % 3}`, bytes(String(i))] as const);
    await store.setMany(entries);
    stop.abort();
    await flushing;
    expect((await store.getMany(['key-0', 'key-1', 'key-2'])).map(textOf)).toEqual(['2997', '2998', '2999']);
  });

  it('may hold what others wrote in our place', async () => {
    const store = open();
    await admin.set('{ashlar}:v:text', 'something else');
    await admin.lpush('{ashlar}:v:list', 'something else');
    await admin.set('{ashlar}:v:empty', '');
    for (const key of ['text', 'empty'])
      await expect(store.get(key)).rejects.toBeInstanceOf(InvalidValueError);
    await expect(store.get('list')).rejects.toThrow('WRONGTYPE');
    const published: unknown[] = [];
    const listen = (message: unknown) => void published.push((message as { key: string }).key);
    subscribe('ashlar:store:invalid-value', listen);
    onTestFinished(() => void unsubscribe('ashlar:store:invalid-value', listen));
    await using mirror = new Mirror(store, '');
    await store.setMany(['a', 'text', 'wrong', 'z'].map(key => [key, bytes(key)]));
    await admin.set('{ashlar}:v:text', 'something else');
    await admin.del('{ashlar}:v:wrong');
    await admin.lpush('{ashlar}:v:wrong', 'something else');
    expect((await store.getMany(['a', 'text', 'wrong', 'z'])).map(textOf)).toEqual([
      'a',
      undefined,
      undefined,
      'z',
    ]);
    const listed: string[] = [];
    for await (const { key } of store.list('')) listed.push(key);
    expect(listed).toEqual(['a', 'z']);
    expect(new Set(published)).toEqual(new Set(['text', 'wrong']));
    await store.set('last', bytes('heard'));
    await eventually(async () => expect(mirror.state.get('last')).toBe('heard'), soon);
    await store.set('list', bytes('ours'));
    expect(textOf(await store.get('list'))).toBe('ours');
    await admin.set('{ashlar}:index', 'not an index');
    await expect(store.set('key', bytes('1'))).rejects.toMatchObject({ outcome: 'Unknown' });
  });

  it('forgets what has expired, also when nobody watches', async () => {
    const store = open();
    for (let round = 0; round < 20; round++) {
      const entries = Array.from({ length: 100 }, (_, i) => [`${round}-${i}`, bytes('')] as const);
      await store.setMany(entries, { ttlMs: 1 });
    }
    await eventually(async () => {
      await store.set('last', bytes(''), { ttlMs: 60_000 });
      expect(await admin.zcard('{ashlar}:index')).toBe(1);
      expect(await admin.zcard('{ashlar}:expiry')).toBe(1);
    }, soon);
    expect(Number(await admin.xlen('{ashlar}:log'))).toBeLessThan(10_200);
  });

  it('keeps a page within bounds of bytes', async () => {
    const store = open();
    const entries = Array.from({ length: 30 }, (_, i) => [`key-${i}`, new Uint8Array(400_000)] as const);
    await store.setMany(entries);
    await admin.config('RESETSTAT');
    const keys: string[] = [];
    for await (const { key } of store.list('key-')) keys.push(key);
    expect(new Set(keys).size).toBe(30);
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1];
    expect(Number(calls)).toBe(10);
  });

  it('is asked in one round trip an operation', async () => {
    const store = open();
    await store.set('key', bytes('1'), { ttlMs: 60_000 });
    await store.claim('name', 'a', 60_000);
    await store.delete('none');
    for await (const _ of store.list('')) break;
    await store.release('none', 1n);
    await admin.config('RESETSTAT');
    const operations = [
      () => store.get('key'),
      () => store.getMany(['key', 'none']),
      () => store.set('key', bytes('2')),
      () => store.set('key', bytes('2'), { ttlMs: 60_000 }),
      () => store.setMany([['key', bytes('3')]]),
      () => store.claim('name', 'a', 60_000),
      () => store.release('name', 1n),
      () => store.delete('key'),
      () => store.list('')[Symbol.asyncIterator]().next(),
    ];
    for (const operation of operations) await operation();
    const stats = await admin.info('commandstats');
    const calls = [...stats.matchAll(/cmdstat_(?:get|mget|evalsha|eval):calls=(\d+)/g)];
    const inScripts = /cmdstat_get:calls=(\d+)/.exec(stats)?.[1];
    // GET is also called by the scripts that claim and release
    const sum = calls.reduce((sum, [, count]) => sum + Number(count), 0) - Number(inScripts) + 1;
    expect(sum).toBe(operations.length);
  });

  it('leaves the client that it was given as it was', async () => {
    const redis = new Redis({ port: server.port, lazyConnect: true, keyPrefix: 'mine:' });
    const store = ending(redisStore({ redis }));
    await store.set('key', bytes('1'));
    expect(redis.status).toBe('wait');
    expect(redis.options.enableOfflineQueue).toBe(true);
    expect(redis.listenerCount('error')).toBe(0);
    expect((await admin.keys('*')).every(key => key.startsWith('mine:{ashlar}:'))).toBe(true);
    const named = async () =>
      [...String(await admin.client('LIST')).matchAll(/ name=(\S+)/g)].map(([, name]) => name);
    expect(await named()).toEqual(['ashlar-store']);
    await using mirror = new Mirror(store, '');
    await eventually(async () => expect(await named()).toEqual(['ashlar-store', 'ashlar-store']), soon);
    await mirror[Symbol.asyncDispose]();
    await store.close();
    await eventually(async () => expect(await named()).toEqual([]), soon);
  });

  it('guards a hash against stale tokens', async () => {
    const [a, b] = ['a', 'b'].map(holder => (token: bigint) => ({ token, holder }));
    await fencedSet(admin, 'sink', 'one', a!(5n));
    await fencedSet(admin, 'sink', bytes('two'), a!(5n));
    expect(await admin.hget('sink', 'value')).toBe('two');
    for (const stale of [a!(4n), b!(5n), b!(0n)]) {
      const error: unknown = await fencedSet(admin, 'sink', 'stale', stale).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(StaleTokenError);
      expect(error).toMatchObject({ presented: stale, seen: a!(5n) });
    }
    expect(await admin.hgetall('sink')).toEqual({ value: 'two', token: '5', holder: 'a' });
    await admin.script('FLUSH');
    await fencedSet(admin, 'sink', 'three', b!(10n ** 30n));
    await expect(fencedSet(admin, 'sink', 'four', b!(10n ** 30n - 1n))).rejects.toThrow(StaleTokenError);
    await expect(fencedSet(admin, 'sink', 'four', b!(9n * 10n ** 29n))).rejects.toThrow(StaleTokenError);
    await admin.set('text', 'no hash');
    await expect(fencedSet(admin, 'text', 'x', a!(1n))).rejects.toThrow('WRONGTYPE');
  });

  it.each([2, 3] as const)('guards it through a client of node-redis with RESP %i too', async RESP => {
    const redis = createClient({ url: server.url, RESP });
    redis.on('error', () => {}); // The server ends before it
    onTestFinished(() => redis.destroy());
    await redis.connect();
    await admin.script('FLUSH');
    await fencedSet(redis, 'sink', bytes('one'), { token: 5n, holder: 'a' });
    await fencedSet(redis, 'sink', 'two', { token: 5n, holder: 'a' });
    const error: unknown = await fencedSet(redis, 'sink', 'stale', { token: 5n, holder: 'b' }).catch(
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(StaleTokenError);
    expect(error).toMatchObject({ seen: { token: 5n, holder: 'a' } });
    expect(await admin.hgetall('sink')).toEqual({ value: 'two', token: '5', holder: 'a' });
    await admin.set('text', 'no hash');
    await expect(fencedSet(redis, 'text', 'x', { token: 1n, holder: 'a' })).rejects.toThrow('WRONGTYPE');
  });

  it('is refused again when it is configured to evict after it was found fit', async () => {
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const usual = { name: 'redis', prefix: 'ashlar', timeoutMs, allowEviction: false };
    const store = ending(new BackendStore('redis', new RedisBackend({ redis, ...usual, checkAgainMs: 10 })));
    await store.set('key', bytes('1'));
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await eventually(() => expect(store.set('key', bytes('2'))).rejects.toThrow(UnsafeBackendError), soon);
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
    await eventually(() => store.set('key', bytes('3')), soon);
  });

  it('says what a watch is not allowed to do, and is not asked for it all the time', async () => {
    await admin.call('ACL', 'SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-xread');
    const published = warnings();
    const redis = new Redis({
      port: server.port,
      lazyConnect: true,
      username: 'limited',
      password: 'secret',
    });
    const usual = { name: 'redis', prefix: 'ashlar', timeoutMs, allowEviction: false };
    const store = ending(new BackendStore('redis', new RedisBackend({ redis, ...usual, random: () => 1 })));
    const startedAt = performance.now();
    await using mirror = new Mirror(store, '');
    await store.set('key', bytes('1'));
    await eventually(async () => expect(mirror.resets).toBeGreaterThan(5), soon);
    // 50, 100, 200, 400 and 800 ms lie between the first six
    expect(performance.now() - startedAt).toBeGreaterThan(1_500);
    expect(mirror.state.get('key')).toBe('1');
    expect(published).toEqual([expect.stringMatching(/does not let a watch follow changes.*NOPERM.*xread/)]);
  });

  it('shows a user who may only read what has expired', async () => {
    await admin.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+@all', '-@write');
    const published = warnings();
    const writer = open();
    await using mirror = new Mirror(open({}, { username: 'reader', password: 'secret' }), '');
    await writer.set('expires', bytes('1'), { ttlMs: 60_000 });
    await eventually(async () => expect(mirror.state.has('expires')).toBe(true), soon);
    // Its time is over now, however long it took until it was seen
    const [member] = await admin.zrange('{ashlar}:expiry', '0', '-1');
    await admin.multi().pexpire('{ashlar}:v:expires', 1).zadd('{ashlar}:expiry', 1, `${member}`).exec();
    await eventually(async () => expect(mirror.state.has('expires')).toBe(false), soon);
    const warning = expect.stringMatching(/does not let a watch follow changes/);
    await eventually(async () => expect(published).toContainEqual(warning), soon);
  });
});
