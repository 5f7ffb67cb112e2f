import { memoryStore } from '@ashlar/store';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Mover, memoryMoves, memoryShards, ShardRouter } from '../../src/index.ts';
import type { MemoryShard } from '../../src/memory/memory-shard.ts';
import { altered } from '../support/altered.ts';

const tables = {
  orders: { key: ['tenant'], primaryKey: ['tenant'], columns: { tenant: 'int8', note: 'text' } },
} as const;
const tenants = Array.from({ length: 20 }, (_, tenant) => tenant);

/** Two shards with a row of each tenant; something may happen before the second one is written. */
async function place() {
  const memory = memoryShards(['one', 'two']);
  const store = memoryStore();
  let before = async () => {};
  const write: MemoryShard['write'] = async (work, scope) => {
    const happening = before;
    before = async () => {};
    await happening();
    return memory.two.write(work, scope);
  };
  const shards = { one: memory.one, two: altered<MemoryShard>(memory.two, { write }) };
  const router = new ShardRouter({ shards, store, key: 'int8', slots: 16, tables });
  const mover = new Mover({ store, tables, backend: memoryMoves({ shards: memory }), steadyMs: 0 });
  onTestFinished(async () => {
    await mover.close();
    await router.close();
    await store.close();
  });
  await router.ready();
  const orders = router.table('orders');
  for (const tenant of tenants) await orders.insert({ tenant, note: 'old' });
  const onOne = tenants.filter(tenant => router.route(tenant).shard === 'one');
  const meanwhile = (happens: () => Promise<void>) => {
    before = happens;
  };
  const notes = async () =>
    (await orders.select().orderBy('tenant').everywhere().all()).map(({ note }) => note);
  return { mover, orders, onOne, meanwhile, notes };
}

/** What became of an update or delete is told also where only a part of it was done. */
describe('a write for everywhere', () => {
  it('that fails in the midst says where it is committed, and how many rows that are', async () => {
    const { orders, onOne, meanwhile, notes } = await place();
    const boom = new Error('boom');
    meanwhile(() => Promise.reject(boom));
    await expect(orders.update({ note: 'new' }).everywhere().run()).rejects.toMatchObject({
      code: 'ASHLAR_SHARD_ROUTER_PARTIAL_WRITE',
      outcome: 'Unknown',
      done: ['one'],
      shard: 'two',
      count: onOne.length,
      cause: boom,
    });
    expect(await notes()).toEqual(tenants.map(tenant => (onOne.includes(tenant) ? 'new' : 'old')));
    expect(await orders.update({ note: 'new' }).where('note', '=', 'old').everywhere().run()).toBe(
      tenants.length - onOne.length,
    );
  });

  // As multi-document updates beside a migration of chunks: rows were passed over, or written twice
  it('during which rows have gone to a shard that it has been at says so, and writes no row twice', async () => {
    const { mover, orders, onOne, meanwhile, notes } = await place();
    meanwhile(async () => {
      for (const { id } of await mover.move({ kind: 'merge', shards: ['two'], into: 'one' }))
        await mover.finish(id);
    });
    await expect(orders.update({ note: 'new' }).everywhere().run()).rejects.toMatchObject({
      code: 'ASHLAR_SHARD_ROUTER_PARTIAL_WRITE',
      count: onOne.length,
      cause: { code: 'ASHLAR_SHARD_ROUTER_WRONG_SHARD' },
    });
    expect(await notes()).toEqual(tenants.map(tenant => (onOne.includes(tenant) ? 'new' : 'old')));
    // Again, for what it has missed
    expect(await orders.update({ note: 'new' }).where('note', '=', 'old').everywhere().run()).toBe(
      tenants.length - onOne.length,
    );
  });

  it('writes no row twice that has come to a shard that it has yet to ask', async () => {
    const { mover, orders, onOne, meanwhile, notes } = await place();
    meanwhile(async () => {
      await orders.update({ note: 'later' }).where({ tenant: onOne[0]! }).run();
      await mover.move({ kind: 'merge', shards: ['one'], into: 'two' });
    });
    await expect(orders.update({ note: 'new' }).everywhere().run()).rejects.toMatchObject({
      code: 'ASHLAR_SHARD_ROUTER_PARTIAL_WRITE',
      count: tenants.length,
    });
    expect(await notes()).toEqual(tenants.map(tenant => (tenant === onOne[0] ? 'later' : 'new')));
  });
});
