import { randomUUID } from 'node:crypto';
import { AshlarError } from '@ashlar/core';
import { Redis } from 'ioredis';
import type { TierSettings } from '../catalogue/shared-tier.ts';

/** There is no Redis where one should be. */
class RedisError extends AshlarError {
  static override readonly code: string = 'STOREFRONT_REDIS';
}

const patienceMs = 500;

/** A part of the user's Redis for one fleet, empty at first and taken away at the end. */
export class SharedRedis implements AsyncDisposable {
  readonly settings: TierSettings;

  private constructor(settings: TierSettings) {
    this.settings = settings;
  }

  /** @throws RedisError when no server answers. */
  static async open(url: string): Promise<SharedRedis> {
    try {
      await once(url, redis => redis.ping());
    } catch (error) {
      const { message } = error as Error;
      throw new RedisError(`no Redis answers at ${new URL(url).host || 'localhost'}: ${message}`, {
        cause: error,
      });
    }
    return new SharedRedis({ url, prefix: `storefront:${randomUUID()}` });
  }

  /** What is there ends by itself within hours if the server is away now. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { url, prefix } = this.settings;
    await once(url, async redis => {
      for await (const keys of redis.scanStream({ match: `{${prefix}}:*`, count: 1_000 })) {
        if (keys.length > 0) await redis.unlink(keys);
      }
    }).catch(() => {});
  }
}

/** Over a connection of its own, so that nothing is kept of one that was lost. */
async function once<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: patienceMs,
    commandTimeout: patienceMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let reason: Error | undefined;
  redis.on('error', error => {
    reason = error;
  });
  try {
    await redis.connect();
    return await work(redis);
  } catch (error) {
    throw reason ?? error;
  } finally {
    redis.disconnect();
  }
}
