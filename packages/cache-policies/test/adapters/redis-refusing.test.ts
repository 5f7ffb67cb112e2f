import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { redisTier } from '../../src/adapters/redis.ts';
import { Cache } from '../../src/index.ts';
import { patient } from '../support/redis/sessions.ts';

/** What makes a server that answers refuse writes, and what ends it. */
const refusals = [
  [
    'NOREPLICAS',
    ['config', 'set', 'min-replicas-to-write', '1'],
    ['config', 'set', 'min-replicas-to-write', '0'],
  ],
  ['READONLY', ['replicaof', '127.0.0.1', '1'], ['replicaof', 'no', 'one']],
  ['OOM', ['config', 'set', 'maxmemory', '1'], ['config', 'set', 'maxmemory', '0']],
] as const;

describeWith('redis', 'a server that refuses writes', () => {
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

  it.each(refusals)('counts as away until it takes them again: %s', async (code, refuse, accept) => {
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const remote = redisTier({ redis, prefix: code, boundMs: 100 });
    let loads = 0;
    const load = async (key: string) => `${key} ${++loads}`;
    const options = { max: 10, remote, load, ttlMs: 60_000, onDisconnect: { serveMs: 60_000 } };
    const cache = new Cache<string, string>(options);
    onTestFinished(() => cache.close());
    const isConnected = () => cache.snapshot().remote!.connected;
    expect(await cache.get('a')).toBe('a 1');
    await expect.poll(() => cache.get('a').then(isConnected), patient).toBe(true);

    await admin.call(refuse[0], ...refuse.slice(1));
    onTestFinished(async () => void (await admin.call(accept[0], ...accept.slice(1))));
    await cache.get('b');
    await expect.poll(isConnected, patient).toBe(false);
    const before = loads;
    for (let i = 0; i < 50; i++) {
      await cache.get('c');
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(loads).toBeLessThanOrEqual(before + 1);
    expect(isConnected()).toBe(false);

    await admin.call(accept[0], ...accept.slice(1));
    await expect.poll(isConnected, patient).toBe(true);
    await cache.get('d');
    await expect.poll(() => remote.get('d'), patient).toBeDefined();
  });
});
