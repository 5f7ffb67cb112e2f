import type pg from 'pg';
import { expect, expectTypeOf, it } from 'vitest';
import type { PoolLike } from '../src/adapters/postgres.ts';
import { type FencedRedis, type RedisLike, redisStore } from '../src/adapters/redis.ts';
import {
  type Change,
  type Claim,
  type ConnectedMemoryStoreOptions,
  type Entry,
  type FencingToken,
  Lease,
  type ManagedStore,
  type MemoryStore,
  memoryStore,
  type Store,
  type Version,
} from '../src/index.ts';

/** A store as somebody else would write it, from the contract's words alone. */
class Mine implements Store {
  readonly durability = 'process';
  async get(): Promise<Entry | undefined> {
    return undefined;
  }
  async getMany(keys: readonly string[]): Promise<(Entry | undefined)[]> {
    return keys.map(() => undefined);
  }
  async set(_key: string, _value: Uint8Array, options?: { ttlMs?: number; ifVersion?: Version | 'absent' }) {
    return String(options?.ifVersion);
  }
  async setMany(_entries: Iterable<readonly [string, Uint8Array]>): Promise<void> {}
  async delete(): Promise<boolean> {
    return false;
  }
  async *list(): AsyncIterable<Entry> {}
  async *watch(_prefix: string, _options: { signal: AbortSignal }): AsyncIterable<Change> {}
  async claim(_name: string, _holder: string, ttlMs: number): Promise<Claim | undefined> {
    return { token: 7n, remainingMs: ttlMs };
  }
  async release(): Promise<boolean> {
    return true;
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** As the types of `pg` have it before 8.16. */
interface OlderClient extends Omit<pg.PoolClient, 'on'> {
  on(event: 'error', listener: (error: Error) => void): this;
  on(event: 'notification', listener: (message: pg.Notification) => void): this;
  on(event: 'end', listener: () => void): this;
}

interface OlderPool extends Omit<pg.Pool, 'on' | 'connect'> {
  connect(): Promise<OlderClient>;
  on(event: 'release' | 'error', listener: (error: Error, client: OlderClient) => void): this;
  on(event: 'connect' | 'acquire' | 'remove', listener: (client: OlderClient) => void): this;
}

it('takes a store of somebody else', async () => {
  await using lease = await Lease.acquire(new Mine(), 'name', { ttlMs: 10_000 });
  expect(lease.token).toBe(7n);
  const fenced: FencingToken = lease;
  expect(fenced.holder).toBe(lease.holder);
});

it('gives what the contract says', () => {
  expectTypeOf(memoryStore()).toEqualTypeOf<MemoryStore>();
  expectTypeOf<MemoryStore>().toExtend<Store>();
  expectTypeOf<(options: ConnectedMemoryStoreOptions) => ManagedStore>(memoryStore);
  expectTypeOf(redisStore).returns.toEqualTypeOf<ManagedStore>();
  expectTypeOf<import('ioredis').Redis>().toExtend<FencedRedis>();
  expectTypeOf<import('ioredis').Cluster>().toExtend<FencedRedis>();
  expectTypeOf<import('ioredis-5').Redis>().toExtend<FencedRedis>();
  expectTypeOf<ReturnType<typeof import('redis').createClient>>().toExtend<FencedRedis>();
  expectTypeOf<ReturnType<typeof import('redis').createCluster>>().toExtend<FencedRedis>();
  expectTypeOf<import('ioredis').Redis>().toExtend<RedisLike>();
  expectTypeOf<import('ioredis').Cluster>().toExtend<RedisLike>();
  expectTypeOf<import('ioredis-5').Redis>().toExtend<RedisLike>();
  expectTypeOf<import('ioredis-5').Cluster>().toExtend<RedisLike>();
  expectTypeOf<pg.Pool>().toExtend<PoolLike>();
  expectTypeOf<OlderPool>().toExtend<PoolLike>();
  expectTypeOf<Store['durability']>().toEqualTypeOf<'process' | 'asynchronous' | 'linearizable'>();
  expectTypeOf<Lease['signal']>().toEqualTypeOf<AbortSignal>();
  // @ts-expect-error a watch needs a signal
  expect(() => memoryStore().watch('')).toThrow();
});
