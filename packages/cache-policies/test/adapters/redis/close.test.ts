import { randomUUID } from 'node:crypto';
import { type Redis as Server, startRedis, startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { redisTier } from '../../../src/adapters/redis.ts';
import { Cache, writeThrough } from '../../../src/index.ts';
import { connections, patient } from '../../support/redis/sessions.ts';

const minuteMs = 60_000;

describeWith('redis', 'closing a cache whose Redis does not answer', () => {
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

  async function connected(timeoutMs: number, closeTimeoutMs?: number) {
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const remote = redisTier({ redis, prefix: randomUUID(), timeoutMs, boundMs: minuteMs });
    const rows = new Map<string, string>();
    const write = writeThrough<string, string>({ write: async (key, value) => void rows.set(key, value!) });
    const cache = new Cache<string, string>({
      ...{ max: 10, remote, write, load: async key => rows.get(key) },
      ...(closeTimeoutMs === undefined ? {} : { closeTimeoutMs }),
    });
    onTestFinished(() => cache.close());
    await expect.poll(() => cache.snapshot().remote, patient).toMatchObject({ session: { connected: true } });
    return { cache, rows };
  }

  async function pause(): Promise<void> {
    await server.pause();
    onTestFinished(() => server.resume());
  }

  it('gives up after `closeTimeoutMs` what would wait for longer, and leaves no connection', async () => {
    const { cache, rows } = await connected(10 * minuteMs, 50);
    await pause();
    const calls = [cache.set('a', '1'), cache.set('a', '2'), cache.get('b'), cache.invalidateTags(['tag'])];
    const results = Promise.allSettled(calls);
    await cache.close();
    const said = (await results).map(result => {
      const { code, outcome } = (result as PromiseRejectedResult).reason;
      return `${code} ${outcome}`.replace('ASHLAR_CACHE_POLICIES_', '');
    });
    expect(said).toEqual(['WRITE NotExecuted', 'CLOSED NotExecuted', 'CLOSED NotExecuted', 'WRITE Unknown']);
    expect([...rows]).toEqual([]);
    await server.resume();
    await expect.poll(() => connections(admin, 'operating'), patient).toEqual([]);
    await expect.poll(() => connections(admin, 'subscribing'), patient).toEqual([]);
  });

  it('gives up the invalidations that it owes', async () => {
    const { cache, rows } = await connected(100);
    await pause();
    await expect(cache.set('a', '1')).rejects.toMatchObject({ outcome: 'Executed' });
    expect(rows.get('a')).toBe('1');
    expect(cache.snapshot()).toMatchObject({ remote: { pendingInvalidations: 1 } });
    await cache.close();
  });

  it('sends once more the invalidations that it owes', async () => {
    const proxy = await startTcpProxy({ target: server.port });
    onTestFinished(() => proxy.stop());
    const prefix = randomUUID();
    const rows = new Map([['a', 'old']]);
    const [cache, other] = [proxy.port, server.port].map(port => {
      const redis = new Redis({ port, lazyConnect: true });
      const remote = redisTier({ redis, prefix, timeoutMs: 2_000, boundMs: minuteMs });
      const write = writeThrough<string, string>({ write: async (key, value) => void rows.set(key, value!) });
      const load = async (key: string) => rows.get(key);
      const each = new Cache<string, string>({ max: 10, remote, write, load, whenAway: 'owe' });
      onTestFinished(() => each.close());
      return each;
    }) as [Cache<string, string>, Cache<string, string>];
    for (const each of [cache, other]) {
      await expect.poll(() => each.snapshot().remote?.session.connected, patient).toBe(true);
    }
    expect(await other.get('a')).toBe('old');
    await expect.poll(() => other.peek('a'), patient).toBe('old');
    await proxy.refuse();
    await expect.poll(() => cache.snapshot().remote?.connected, patient).toBe(false);
    await cache.set('a', 'new');
    expect(cache.snapshot()).toMatchObject({ remote: { pendingInvalidations: 1 } });
    const closing = cache.close();
    await proxy.accept();
    await closing;
    await expect.poll(() => other.get('a'), patient).toBe('new');
  });
});
