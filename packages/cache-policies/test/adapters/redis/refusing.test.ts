import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { redisTier } from '../../../src/adapters/redis.ts';
import { Cache } from '../../../src/index.ts';
import { patient } from '../../support/redis/sessions.ts';

type Step = (admin: Redis) => Promise<unknown>;

function config(name: string, value: string | number): Step {
  return admin => admin.config('SET', name, value);
}

/** Where the server saves its data: it cannot replace a folder. */
async function savedAt(admin: Redis): Promise<string> {
  const [, dir] = (await admin.config('GET', 'dir')) as [string, string];
  const [, name] = (await admin.config('GET', 'dbfilename')) as [string, string];
  return join(dir, name);
}

async function save(admin: Redis, status: 'ok' | 'err'): Promise<void> {
  await admin.bgsave();
  await expect
    .poll(() => admin.info('persistence'), patient)
    .toMatch(new RegExp(`rdb_bgsave_in_progress:0[^]*rdb_last_bgsave_status:${status}`, 'u'));
}

/** How many connections the server has accepted since it started. */
async function connectionsOf(admin: Redis): Promise<{ readonly connected: number }> {
  const [, received] = /total_connections_received:(\d+)/u.exec(await admin.info('stats')) ?? [];
  return { connected: Number(received) };
}

/** What makes a server that answers refuse writes, and what ends it. */
const refusals: readonly (readonly [code: string, refuse: Step, accept: Step])[] = [
  ['NOREPLICAS', config('min-replicas-to-write', 1), config('min-replicas-to-write', 0)],
  ['READONLY', admin => admin.replicaof('127.0.0.1', 1), admin => admin.replicaof('NO', 'ONE')],
  ['OOM', config('maxmemory', 1), config('maxmemory', 0)],
  [
    'MISCONF',
    async admin => {
      await config('save', '3600 1')(admin);
      const path = await savedAt(admin);
      await rm(path, { force: true });
      await mkdir(path);
      await save(admin, 'err');
    },
    async admin => {
      await rm(await savedAt(admin), { recursive: true, force: true });
      await save(admin, 'ok');
      await config('save', '')(admin);
    },
  ],
];

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
    await expect.poll(() => cache.get('a').then(isConnected), patient).toBe(true);
    await expect.poll(() => cache.get('a').then(() => cache.peek('a')), patient).toBeDefined();
    const a = cache.peek('a');

    onTestFinished(() => accept(admin).then(() => {}));
    await refuse(admin);
    await expect(admin.set('written', 'by hand')).rejects.toThrow(code);
    await cache.get('b');
    await expect.poll(isConnected, patient).toBe(false);
    const before = loads;
    for (let i = 0; i < 50; i++) {
      await cache.get('c');
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(loads).toBeLessThanOrEqual(before + 1);
    expect(await cache.get('a')).toBe(a);
    expect(isConnected()).toBe(false);
    // a refusal is an answer: it ends no connection but where it sends clients to another server
    const { connected } = await connectionsOf(admin);
    await cache.get('e');
    if (code !== 'READONLY') expect((await connectionsOf(admin)).connected).toBe(connected);

    await accept(admin);
    await expect.poll(isConnected, patient).toBe(true);
    await cache.get('d');
    await expect.poll(() => remote.get('d'), patient).toBeDefined();
  });
});
