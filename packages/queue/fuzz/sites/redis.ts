import { randomUUID } from 'node:crypto';
import { startRedis, startTcpProxy } from '@workspace/services';
import { Redis } from 'ioredis';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import type { Driver } from '../../src/index.ts';
import type { Operation } from '../plan/plan.ts';
import { realStage } from './real-stage.ts';
import { type Operator, type OtherCode, type Site, timeoutMs } from './site.ts';

interface RedisSettings {
  readonly port: number;
  readonly prefix: string;
  readonly leaseMs: number;
}

type Open = (settings: RedisSettings) => Driver;

interface Beside {
  readonly shares: boolean;
  readonly operations: readonly Operation[];
  /** What uses the queues without the driver. */
  others(settings: RedisSettings & { readonly admin: Redis }): OtherCode & Operator & AsyncDisposable;
}

export function redisStreamsSite(): Promise<Site> {
  return redisSite(({ port, ...settings }) =>
    redisStreams({ redis: new Redis({ port, lazyConnect: true }), timeoutMs, ...settings }),
  );
}

export async function redisSite(open: Open, beside?: Beside): Promise<Site> {
  const leaseMs = 2_000;
  const server = await startRedis({ own: true });
  const proxy = await startTcpProxy({ target: server.port });
  const { port } = proxy;
  const admin = new Redis(server.port);
  const probe = open({ port, prefix: 'probe', leaseMs });
  const { capabilities } = probe;
  await probe[Symbol.asyncDispose]();
  return {
    capabilities,
    mostProcesses: 3,
    breaks: true,
    loses: true,
    leaseMs,
    shares: beside?.shares ?? false,
    operations: beside?.operations ?? [],
    async begin(processes) {
      const prefix = randomUUID();
      const others = beside?.others({ port: server.port, prefix, leaseMs, admin });
      return realStage({
        processes,
        open: () => open({ port, prefix, leaseMs }),
        break: async () => void (await admin.call('CLIENT', ['KILL', 'TYPE', 'normal'])),
        proxy,
        ...(others !== undefined && { others, operator: others }),
        end: async () => others?.[Symbol.asyncDispose](),
      });
    },
    async [Symbol.asyncDispose]() {
      admin.disconnect();
      await proxy.stop();
      await server.stop();
    },
  };
}
