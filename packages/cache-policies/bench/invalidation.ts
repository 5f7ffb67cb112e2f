import { startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import { redisTier } from '../src/adapters/redis.ts';
import { Cache } from '../src/cache.ts';

// Prints what the server did for each operation of one of several caches, from the server's own counters, and how many
// reads the others, which held all the keys, then made to have them again.

const count = 8;
const keys = Array.from({ length: 2_000 }, (_, i) => `key-${i}`);
const value = 'v'.repeat(100);

const server = await startRedis({ own: true });
const admin = new Redis(server.port);
try {
  console.log(`${keys.length} keys, ${count} caches; of each operation:`);
  console.log('invalidation  operation   commands  bytes out  reads by the others');
  for (const invalidation of ['pubsub', 'tracking'] as const) await run(invalidation);
} finally {
  admin.disconnect();
  await server.stop();
}

async function run(invalidation: 'pubsub' | 'tracking'): Promise<void> {
  await admin.flushall();
  const redis = new Redis({ port: server.port, lazyConnect: true });
  // a bound so long that no check comes in between
  const remote = redisTier({ redis, prefix: 'bench', invalidation, boundMs: 2 ** 30 });
  const caches = Array.from({ length: count }, () => {
    return new Cache<string, string>({ max: 10_000, remote, load: async () => value });
  });
  const [first, ...others] = caches as [Cache<string, string>, ...Cache<string, string>[]];
  const everywhere = () => Promise.all(others.map(other => twentyAtOnce(key => other.get(key))));
  const reads = () => others.reduce((sum, cache) => sum + cache.snapshot().remoteHits, 0);
  const work = {
    load: () => twentyAtOnce(key => first.get(key, async () => value)),
    set: () => twentyAtOnce(key => first.set(key, value)),
  };
  try {
    // those that wait for the first answer of each connection are not counted
    await Promise.all(caches.map(cache => cache.get('warm')));
    for (const [operation, operate] of Object.entries(work)) {
      const before = await counters();
      await operate();
      // loads are stored after they are answered
      while ((first.snapshot().loading ?? 0) > 0) await admin.ping();
      const after = await counters();
      const readBefore = reads();
      if (operation === 'set') await everywhere();
      const figures = [
        after.commands - before.commands,
        after.bytesOut - before.bytesOut,
        reads() - readBefore,
      ];
      const shown = figures.map(number => (number / keys.length).toFixed(1).padStart(10));
      console.log(invalidation.padEnd(13), operation.padEnd(9), ...shown);
      await everywhere();
    }
  } finally {
    await Promise.all(caches.map(cache => cache.close()));
  }
}

async function twentyAtOnce(work: (key: string) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < keys.length; i += 20) await Promise.all(keys.slice(i, i + 20).map(work));
}

async function counters(): Promise<{ readonly commands: number; readonly bytesOut: number }> {
  const [stats, commands] = [await admin.info('stats'), await admin.info('commandstats')];
  const calls = Array.from(commands.matchAll(/calls=(\d+)/gu), ([, each]) => Number(each));
  const bytesOut = Number(/total_net_output_bytes:(\d+)/u.exec(stats)![1]);
  return { commands: calls.reduce((sum, each) => sum + each, 0), bytesOut };
}
