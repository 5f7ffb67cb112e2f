import { randomUUID } from 'node:crypto';
import { startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import { redisTier } from '../src/adapters/redis.ts';
import { type OpenTier, realBoundMs } from './world/world.ts';

export interface RealTiers extends AsyncDisposable {
  readonly open: OpenTier;
}

/** Tiers on a Redis of their own, each with a prefix of its own. */
export async function startRealTiers(): Promise<RealTiers> {
  const server = await startRedis({ own: true });
  return {
    open: ({ clock }, invalidation) =>
      redisTier({
        redis: new Redis({ port: server.port, lazyConnect: true }),
        prefix: randomUUID(),
        boundMs: realBoundMs,
        invalidation,
        clock,
      }),
    async [Symbol.asyncDispose]() {
      await server.stop();
    },
  };
}
