import { randomUUID } from 'node:crypto';
import { type RedisLike, redisStore } from '../../src/adapters/redis.ts';
import type { MakeSubject } from '../../src/conformance.ts';
import type { ManagedStore } from '../../src/index.ts';

/** Stores of one prefix over clients like this one, and an administrator of each server. */
export function redisSubject(
  redis: RedisLike,
  admins: readonly { call(command: string, args: string[]): Promise<unknown> }[],
): MakeSubject {
  const everywhere = async (command: string, ...args: string[]) => {
    await Promise.all(admins.map(admin => admin.call(command, args)));
  };
  return async () => {
    const prefix = randomUUID();
    const stores: ManagedStore[] = [];
    const open = () => {
      const store = redisStore({ redis, prefix, timeoutMs: 20_000 });
      stores.push(store);
      return store;
    };
    return {
      store: open(),
      other: async () => open(),
      lose: () => everywhere('FLUSHALL'),
      break: () => everywhere('CLIENT', 'KILL', 'TYPE', 'normal'),
      async [Symbol.asyncDispose]() {
        await Promise.all(stores.map(store => store.close()));
      },
    };
  };
}
