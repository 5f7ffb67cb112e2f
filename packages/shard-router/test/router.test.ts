import { type MemoryClient, memoryCluster, ReplicaSet } from '@ashlar/replica-failover';
import { memoryStore, setJson } from '@ashlar/store';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  NotReadyError,
  RouterClosedError,
  ShardIds,
  ShardMapError,
  ShardRouter,
  timeOfId,
} from '../src/index.ts';

const mapKey = 'shards:shards:map';

async function replicaSet(): Promise<ReplicaSet<MemoryClient>> {
  const set = await ReplicaSet.connect({ servers: memoryCluster().servers() });
  onTestFinished(() => set.close());
  return set;
}

async function opened(more: object = {}) {
  const store = memoryStore();
  const shards = { a: await replicaSet(), b: await replicaSet() };
  const open = (others: object = {}) => {
    const router = new ShardRouter<MemoryClient>({ shards, store, key: 'int8', ...more, ...others });
    onTestFinished(() => router.close());
    return router;
  };
  onTestFinished(() => store.close());
  return { store, shards, open };
}

describe('ShardRouter', () => {
  it('sends work to the shard of its key, which is the same in every process', async () => {
    const { open, shards } = await opened();
    const [one, other] = [open(), open()];
    await Promise.all([one.ready(), other.ready()]);
    const of = { a: 0, b: 0 };
    for (let key = 0; key < 100; key++) {
      await one.on(key).write(db => db.set(`${key}`, 'here'));
      expect(await other.on(key).read(db => db.get(`${key}`))).toBe('here');
      const { shard } = other.route(key);
      of[shard as 'a' | 'b']++;
      expect(await shards[shard as 'a' | 'b'].read(db => db.get(`${key}`))).toBe('here');
    }
    expect(Math.min(of.a, of.b)).toBeGreaterThan(20);
  });

  it('follows the map, also with an executor that was taken before', async () => {
    const { open, store, shards } = await opened();
    const router = open();
    await router.ready();
    const key = [1, 2, 3, 4, 5, 6, 7, 8].find(each => router.route(each).shard === 'a')!;
    const executor = router.on(key);
    const map = {
      epoch: 2,
      revision: 2,
      moves: [],
      key: 'int8',
      slots: 1_024,
      ranges: [{ from: 0, shard: 'b' }],
    };
    await setJson(store, mapKey, map);
    await vi.waitFor(() => expect(router.route(key)).toMatchObject({ shard: 'b', epoch: 2 }), {
      timeout: 15_000,
    });
    await executor.write(db => db.set('moved', 'yes'));
    expect(await shards.b.read(db => db.get('moved'))).toBe('yes');
    await setJson(store, mapKey, { ...map, epoch: 1, revision: 1, ranges: [{ from: 0, shard: 'a' }] });
    await setJson(store, mapKey, { ...map, epoch: 3, revision: 3 });
    await vi.waitFor(() => expect(router.route(key).epoch).toBe(3), { timeout: 15_000 });
    expect(router.route(key).shard).toBe('b');
  });

  it('explains where a key is', async () => {
    const { open } = await opened({ key: ['text', 'int8'] });
    const router = open();
    await router.ready();
    const { slot, shard, words, sql } = router.explain(['acme', 7]);
    expect(words).toBe(`slot ${slot} of 1024 is on shard ${shard} in epoch 1`);
    expect(sql).toBe('(hashint8extended($2, hashtextextended($1, 0)) & 1023)');
  });

  it('has no answer before the map is here, and none after the end', async () => {
    const { open } = await opened();
    const router = open();
    expect(() => router.route(7)).toThrow(NotReadyError);
    expect(() => router.on(7)).toThrow(NotReadyError);
    await router.ready();
    await router.close();
    expect(() => router.route(7)).toThrow(RouterClosedError);
    const closed = open();
    await closed.close();
    await expect(closed.ready()).rejects.toThrow(RouterClosedError);
  });

  it.each([
    [
      'another type of key',
      { epoch: 1, revision: 1, moves: [], key: 'text', slots: 1_024, ranges: [{ from: 0, shard: 'a' }] },
    ],
    [
      'an unknown shard',
      { epoch: 1, revision: 1, moves: [], key: 'int8', slots: 1_024, ranges: [{ from: 0, shard: 'z' }] },
    ],
    [
      'a gap',
      { epoch: 1, revision: 1, moves: [], key: 'int8', slots: 1_024, ranges: [{ from: 5, shard: 'a' }] },
    ],
    [
      'an overlap',
      {
        epoch: 1,
        revision: 1,
        moves: [],
        key: 'int8',
        slots: 16,
        ranges: [0, 8, 8].map(from => ({ from, shard: 'a' })),
      },
    ],
    [
      'a range beyond its slots',
      {
        epoch: 1,
        revision: 1,
        moves: [],
        key: 'int8',
        slots: 4,
        ranges: [0, 8].map(from => ({ from, shard: 'a' })),
      },
    ],
    [
      'slots that are no power of two',
      { epoch: 1, revision: 1, moves: [], key: 'int8', slots: 12, ranges: [{ from: 0, shard: 'a' }] },
    ],
    ['nothing in it', {}],
    ['no object', 7],
  ])('refuses a map with %s', async (_, map) => {
    const { open, store } = await opened();
    await setJson(store, mapKey, map);
    await expect(open().ready()).rejects.toThrow(ShardMapError);
  });

  it('has begun nothing when its options are refused', async () => {
    const { store, open } = await opened();
    const spec = { primaryKey: ['id'], columns: { id: 'int8' } };
    const wrong = { tables: { both: { ...spec, key: ['id'] } }, references: { both: spec } };
    expect(() => open(wrong)).toThrow('is in `tables` too');
    await new Promise(setImmediate);
    for await (const { key } of store.list('')) expect.fail(`${key} is in the store`);
  });

  it('waits for a store that does not answer, as long as it was told', async () => {
    const { open, store } = await opened({ timeoutMs: 50 });
    await store.close();
    await expect(open().ready()).rejects.toThrow(NotReadyError);
  });

  it.each([
    [{ shards: {} }, 'shards'],
    [{ shards: { a: {} } }, 'shards.a'],
    [{ key: 'int4' }, 'key'],
    [{ key: [] }, 'key'],
    [{ slots: 1_000 }, 'slots'],
    [{ slots: 8_192 }, 'slots'],
    [{ store: undefined }, 'store'],
  ])('refuses %j', async (options, name) => {
    const { open } = await opened();
    expect(() => open(options)).toThrow(expect.objectContaining({ option: name }));
  });
});

describe('a router says what to write', () => {
  const forgetful: object = Object.create(memoryStore(), { durability: { value: 'asynchronous' } });

  it.each([
    [{ shards: ['postgres://a'] }, 'shards.0', "got \"postgres://a\"; write `memoryShards(['one', 'two'])`"],
    [{ shards: { a: 'postgres://user:S3CRET@a' } }, 'shards.a', '`{ one: await ReplicaSet.connect({ … }) }`'],
    [{ shards: undefined }, 'shards', "write `memoryShards(['one', 'two'])`"],
    [{ store: 'redis://a' }, 'store', 'write `memoryStore()` or `postgresStore({ pool })`'],
    [{ store: forgetful }, 'store', 'write `postgresStore({ pool })`'],
    [{ key: 'string' }, 'key', "must be 'int8', 'text', 'uuid'"],
  ])('in place of %j', async (options, option, words) => {
    const { open } = await opened();
    const message = expect.stringMatching(/^(?!.*S3CRET)/);
    expect(() => open(options as never)).toThrow(expect.objectContaining({ option, message }));
    expect(() => open(options as never)).toThrow(words);
  });
});

describe('ShardIds', () => {
  it('are different in all processes, carry the slot of their key, and rise', async () => {
    const { open, store } = await opened();
    const router = open();
    await router.ready();
    const makers = Array.from({ length: 5 }, () => new ShardIds({ router, store }));
    const all = new Set<bigint>();
    const before = Date.now();
    for (const ids of makers) {
      let last = -1n;
      // More than a block has
      for (let n = 0; n < 20_000; n++) {
        const id = await ids.next(7);
        expect(id > last).toBe(true);
        last = id;
        all.add(id);
      }
      expect(router.routeId(last)).toEqual(router.route(7));
      expect(Math.abs(timeOfId(last) - before)).toBeLessThan(60_000);
    }
    expect(all.size).toBe(100_000);
  });

  it('are never made twice when a clock goes back', async () => {
    const { open, store } = await opened();
    const router = open();
    await router.ready();
    const first = await new ShardIds({ router, store }).next(7);
    vi.setSystemTime(Date.now() - 3_600_000);
    onTestFinished(() => void vi.useRealTimers());
    expect((await new ShardIds({ router, store }).next(7)) > first).toBe(true);
  });
});
