import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { eventually, startRedis, startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { type RedisStoreOptions, redisStore } from '../../src/adapters/redis.ts';
import { Mirror } from '../../src/conformance/tools.ts';
import {
  type ManagedStore,
  StoreClosedError,
  StoreTimeoutError,
  StoreUnavailableError,
} from '../../src/index.ts';
import { bytes, textOf } from '../support/bytes.ts';
import { ending } from '../support/stores.ts';

const soon = { withinMs: 20_000 };

function storeAt(port: number, options: Partial<RedisStoreOptions> = {}): ManagedStore {
  return ending(redisStore({ redis: new Redis({ port, lazyConnect: true }), ...options }));
}

function adminAt(port: number): Redis {
  const admin = new Redis(port);
  admin.on('error', () => {});
  onTestFinished(() => admin.disconnect());
  return admin;
}

/** Resolves when a store is first told to be disconnected. */
function disconnected(): Promise<void> {
  return new Promise(resolve => {
    const told = () => resolve();
    subscribe('ashlar:store:disconnected', told);
    onTestFinished(() => void unsubscribe('ashlar:store:disconnected', told));
  });
}

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describeWith('redis', 'a Redis that fails', () => {
  it('executes nothing more of a lost connection once there is another', async () => {
    const server = ending(await startRedis({ own: true }));
    const proxy = ending(await startTcpProxy({ target: server.port }));
    const store = storeAt(proxy.port, { timeoutMs: 1_500 });
    await store.set('key', bytes('1'));
    proxy.stall('present');
    await expect(store.set('key', bytes('late'))).rejects.toMatchObject({ outcome: 'Unknown' });
    await store.set('key', bytes('2'));
    proxy.resume();
    await eventually(async () => expect(proxy.connections).toBe(1), soon);
    expect(textOf((await store.get('key'))!)).toBe('2');
  });

  it('gives every call its deadline when nothing comes back, and says that it may have happened', async () => {
    const server = ending(await startRedis({ own: true }));
    const proxy = ending(await startTcpProxy({ target: server.port }));
    const store = storeAt(proxy.port, { timeoutMs: 1_500 });
    await store.set('key', bytes('1'));
    proxy.stall();
    const calls = [
      store.set('key', bytes('2')),
      store.setMany([['a', bytes('')]]),
      store.delete('a'),
      store.claim('name', 'a', 1_000),
    ];
    const reads = [
      store.get('key'),
      store.getMany(['a', 'b']),
      store.list('')[Symbol.asyncIterator]().next(),
    ];
    for (const [call, outcome] of [
      ...calls.map(call => [call, 'Unknown'] as const),
      ...reads.map(call => [call, 'NotExecuted'] as const),
    ]) {
      const error = await failure(call);
      expect(error).toBeInstanceOf(StoreTimeoutError);
      expect(error).toMatchObject({ outcome, timeoutMs: 1_500 });
    }
    // a new connection is accepted and hears nothing either
    await expect(store.set('key', bytes('3'))).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(store.snapshot()).toMatchObject({ state: 'disconnected', pending: 0 });
    proxy.resume();
    await eventually(() => store.set('key', bytes('4')), soon);
    expect(textOf(await store.get('key'))).toBe('4');
  });

  it('notices a dead server while it watches, and misses nothing', async () => {
    const server = ending(await startRedis({ own: true }));
    const proxy = ending(await startTcpProxy({ target: server.port }));
    const [store, direct] = [storeAt(proxy.port), storeAt(server.port)];
    await store.set('key', bytes('1'));
    await using mirror = new Mirror(store, '');
    await store.set('key', bytes('2'));
    await eventually(async () => expect(mirror.state.get('key')).toBe('2'), soon);
    const noticed = disconnected();
    proxy.stall();
    await direct.set('key', bytes('3'));
    await noticed;
    proxy.resume();
    await eventually(async () => expect(mirror.state.get('key')).toBe('3'), soon);
    expect(mirror.resets).toBeGreaterThan(0);
  });

  it('refuses while the server is dead, and goes on when it is back', async () => {
    const server = ending(await startRedis({ own: true }));
    const store = storeAt(server.port, { timeoutMs: 1_500 });
    await store.set('key', bytes('1'));
    await using mirror = new Mirror(store, '');
    const noticed = disconnected();
    await server.kill();
    await noticed;
    const error = await failure(store.set('key', bytes('2')));
    expect(error).toMatchObject({ code: StoreUnavailableError.code, outcome: 'NotExecuted' });
    expect((error as Error).cause).toMatchObject({ code: 'ECONNREFUSED' });
    expect((error as Error).message).toContain(
      `within 1500 ms: connect ECONNREFUSED 127.0.0.1:${server.port}`,
    );
    await server.restart();
    await eventually(() => store.set('after', bytes('3')), soon);
    await eventually(async () => expect(Object.fromEntries(mirror.state)).toEqual({ after: '3' }), soon);
  });

  it('sends nothing a second time', async () => {
    const server = ending(await startRedis({ own: true }));
    const proxy = ending(await startTcpProxy({ target: server.port }));
    const admin = adminAt(server.port);
    const store = storeAt(proxy.port, { timeoutMs: 5_000 });
    await store.claim('name', 'a', 1_000);
    await admin.config('RESETSTAT');
    let answered = 0;
    for (let round = 0; round < 5; round++) {
      const calls = Array.from({ length: 20 }, () => store.claim('name', 'a', 60_000));
      const settled = Promise.allSettled(calls);
      await new Promise(resolve => setImmediate(resolve));
      proxy.cut();
      for (const call of await settled) {
        if (call.status === 'fulfilled') answered++;
        else expect(call.reason.outcome).toMatch(/^(Unknown|NotExecuted)$/);
      }
    }
    const stats = await admin.info('commandstats');
    const executed = Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    expect(executed).toBeLessThanOrEqual(100);
    expect(executed).toBeGreaterThanOrEqual(answered);
  });

  it('goes elsewhere when its server is a primary no more', async () => {
    const server = ending(await startRedis({ own: true }));
    const admin = adminAt(server.port);
    const store = storeAt(server.port);
    await store.set('key', bytes('1'));
    await admin.replicaof('127.0.0.1', 1);
    await expect(store.set('key', bytes('2'))).rejects.toMatchObject({
      code: StoreUnavailableError.code,
      outcome: 'NotExecuted',
    });
    await admin.replicaof('NO', 'ONE');
    await eventually(() => store.set('key', bytes('3')), soon);
  });

  it('answers what is under way before it closes, and refuses what waits', async () => {
    const server = ending(await startRedis({ own: true }));
    const proxy = ending(await startTcpProxy({ target: server.port }));
    const store = storeAt(proxy.port, { timeoutMs: 10_000 });
    await store.get('key');
    const writing = Array.from({ length: 50 }, (_, i) => store.set(`key-${i}`, bytes('1')));
    const closing = store.close();
    await Promise.all(writing);
    await closing;
    expect(store.snapshot().state).toBe('closed');
    const waiting = storeAt(1, { timeoutMs: 10_000 });
    const call = waiting.set('key', bytes('2'));
    call.catch(() => {});
    await waiting.close();
    await expect(call).rejects.toMatchObject({ code: StoreClosedError.code, outcome: 'NotExecuted' });
    await eventually(async () => expect(proxy.connections).toBe(0), soon);
  });
});
