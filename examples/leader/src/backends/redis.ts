import { type FencingToken, isStale, StaleTokenError, type Store } from '@ashlar/store';
import { fencedSet, redisStore } from '@ashlar/store/redis';
import { Redis } from 'ioredis';
import type { Counter, ParentBackend } from './backend.ts';

/** `fencedSet` writes a value and cannot add to one, so a leader must know what is there when it begins. */
class RedisCounter implements Counter {
  readonly #redis: Redis;
  readonly #store: Store;
  readonly #key: string;
  /** What was last written with which token, while that is known. */
  #mine: { readonly token: bigint; readonly count: number } | undefined;

  constructor(redis: Redis, store: Store, key: string) {
    this.#redis = redis;
    this.#store = store;
    this.#key = key;
  }

  async create(): Promise<void> {
    await this.#store.get(this.#key); // rejects when the server cannot be used
    await this.#redis.hset(this.#key, 'value', 0);
  }

  async increment(lease: FencingToken): Promise<number> {
    const { token } = lease;
    const before = this.#mine?.token === token ? this.#mine.count : await this.#raise(lease);
    this.#mine = undefined; // until the answer is here
    const count = before + 1;
    await fencedSet(this.#redis, this.#key, String(count), lease);
    this.#mine = { token, count };
    return count;
  }

  async read(): Promise<number> {
    return Number(await this.#redis.hget(this.#key, 'value'));
  }

  async remove(): Promise<void> {
    await this.#redis.del(this.#key);
  }

  /**
   * Shuts the fence for those before and reads what they left, as one step: were it read first, one of them could
   * still write, and the counter would go back. A WATCH fails only when one of them did just that.
   */
  async #raise({ token, holder }: FencingToken): Promise<number> {
    for (let attempt = 1; attempt <= 10; attempt++) {
      await this.#redis.watch(this.#key);
      const { value, token: last, holder: by = '' } = await this.#redis.hgetall(this.#key);
      const seen = last === undefined ? undefined : { token: BigInt(last), holder: by };
      if (isStale({ token, holder }, seen)) {
        await this.#redis.unwatch();
        throw new StaleTokenError('the counter', { token, holder }, seen!);
      }
      const raised = this.#redis.multi().hset(this.#key, { token: String(token), holder });
      if ((await raised.exec()) !== null) return Number(value);
    }
    throw new Error('the counter is written to by others all the time');
  }
}

/** On a Redis server; the counter of each run has a key of its own. */
export function redisBackend(url: string, run: string): ParentBackend {
  const redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 1, commandTimeout: 1_000 });
  redis.on('error', () => {}); // The calls reject with it
  const store = redisStore({ redis, prefix: 'ashlar-leader' });
  return {
    store,
    counter: new RedisCounter(redis, store, `ashlar-leader:${run}`),
    async [Symbol.asyncDispose]() {
      await store.close();
      redis.disconnect();
    },
  };
}
