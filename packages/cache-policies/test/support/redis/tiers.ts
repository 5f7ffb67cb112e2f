import { randomUUID } from 'node:crypto';
import { Redis, type RedisOptions } from 'ioredis';
import { type RedisInvalidation, redisTier } from '../../../src/adapters/redis.ts';
import type { MakeTierSubject } from '../../../src/conformance.ts';

/** A client whose connections can be made deaf: they live, and what is published does not arrive. */
export class Deaf extends Redis {
  static readonly all: Set<Deaf> = new Set();
  isDeaf = false;

  override duplicate(override?: Partial<RedisOptions>): Redis {
    const client = new Deaf({ ...this.options, ...override } as never);
    Deaf.all.add(client);
    client.on('end', () => Deaf.all.delete(client));
    return client;
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    return this.isDeaf && event === 'messageBuffer' ? false : super.emit(event, ...args);
  }
}

/** Tiers of one prefix on the server that the administrator is connected to. */
export function redisSubject(
  admin: Redis,
  invalidation: RedisInvalidation,
  options: RedisOptions,
): MakeTierSubject {
  return async () => {
    const prefix = randomUUID();
    const open = () =>
      redisTier({
        redis: new Deaf({ ...options, lazyConnect: true } as never),
        prefix,
        invalidation,
        boundMs: 100,
      });
    const everybody = (isDeaf: boolean) => {
      for (const client of Deaf.all) client.isDeaf = isDeaf;
    };
    return {
      tier: open(),
      other: async () => open(),
      async empty() {
        await admin.flushall();
      },
      async break() {
        for (const type of ['normal', 'pubsub']) await admin.call('CLIENT', 'KILL', 'TYPE', type);
      },
      async lose() {
        everybody(true);
        return async () => {
          // what was published before has arrived, and was not heard, once these are answered
          await Promise.all(Array.from(Deaf.all, client => client.ping()));
          everybody(false);
        };
      },
      async [Symbol.asyncDispose]() {
        everybody(false);
      },
    };
  };
}
