import { randomUUID } from 'node:crypto';
import { startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import { bullmq } from '../../src/adapters/bullmq.ts';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import type { Driver } from '../../src/index.ts';
import { realStage } from './real-stage.ts';
import type { Site } from './site.ts';

interface RedisSettings {
  readonly port: number;
  readonly prefix: string;
  readonly leaseMs: number;
}

type Open = (settings: RedisSettings) => Driver;

export function redisStreamsSite(): Promise<Site> {
  return redisSite(({ port, ...settings }) =>
    redisStreams({ redis: new Redis({ port, lazyConnect: true }), ...settings }),
  );
}

export function bullmqSite(): Promise<Site> {
  return redisSite(({ port, ...settings }) => bullmq({ connection: { port }, ...settings }));
}

async function redisSite(open: Open): Promise<Site> {
  const leaseMs = 1_000;
  const server = await startRedis({ own: true });
  const { port } = server;
  const admin = new Redis(port);
  const probe = open({ port, prefix: 'probe', leaseMs });
  const { capabilities } = probe;
  await probe[Symbol.asyncDispose]();
  return {
    capabilities,
    mostProcesses: 3,
    breaks: true,
    leaseMs,
    async begin(processes) {
      const prefix = randomUUID();
      return realStage({
        processes,
        open: () => open({ port, prefix, leaseMs }),
        break: async () => void (await admin.call('CLIENT', ['KILL', 'TYPE', 'normal'])),
      });
    },
    async [Symbol.asyncDispose]() {
      admin.disconnect();
      await server.stop();
    },
  };
}
