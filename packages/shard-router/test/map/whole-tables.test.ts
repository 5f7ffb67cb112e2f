import { memoryStore } from '@ashlar/store';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ShardMapError, UnplacedKeyError, WrongShardError } from '../../src/errors/routing.ts';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import { memoryShards } from '../../src/memory/memory-shard.ts';
import { Mover } from '../../src/moves/mover.ts';
import { ShardRouter } from '../../src/router.ts';

const tables = {
  orders: { key: [], primaryKey: ['id'], columns: { id: 'int8', customer: 'text' } },
  events: { key: [], primaryKey: ['id'], columns: { id: 'int8', what: 'text' } },
  /** Columns of orders that are seldom asked for. */
  order_notes: { key: [], primaryKey: ['id'], columns: { id: 'int8', note: 'text' } },
} as const;
const layout = { kind: 'tables', tables: { orders: 'main', order_notes: 'main', events: 'main' } } as const;

async function site() {
  const store = memoryStore();
  const shards = memoryShards(['main', 'log']);
  const router = new ShardRouter({ shards, store, name: 'tables', key: 'text', tables, layout });
  const mover = new Mover({ store, name: 'tables', tables, backend: memoryMoves({ shards }), steadyMs: 0 });
  onTestFinished(async () => {
    await mover.close();
    await router.close();
    await store.close();
  });
  await router.ready();
  return { store, shards, router, mover };
}

describe('whole tables on shards', () => {
  it('are asked where they are, and move by themselves', async () => {
    const { router, mover } = await site();
    for (const id of [1, 2, 3]) {
      await router.table('orders').insert({ id, customer: 'acme' });
      await router.table('events').insert({ id, what: 'opened' });
    }
    const moves = await mover.move({ kind: 'tables', tables: ['events'], to: 'log' });
    expect(moves).toMatchObject([{ from: 'main', to: 'log', slices: [{ from: 2, to: 3 }] }]);
    await router.table('events').insert({ id: 4, what: 'closed' });
    expect(await router.table('events').select().count()).toBe(4n);
    expect(await router.table('orders').select().where('id', '>', 1).orderBy('id').all()).toHaveLength(2);
    expect(router.route('events').shard).toBe('log');
    expect(router.explain('orders').words).toContain('which has the table "orders", is on shard main');
    for (const { id } of moves) await mover.finish(id);
    expect((await mover.status()).leaks).toEqual({ main: [], log: [] });
  });

  it('move together, with the groups of columns that share their key', async () => {
    const { shards, router, mover } = await site();
    await router.transaction(['orders', 'order_notes'], async tx => {
      await tx.table('orders').insert({ id: 1, customer: 'acme' });
      await tx.table('order_notes').insert({ id: 1, note: 'long' });
    });
    const [moved] = await mover.move({ kind: 'tables', tables: ['orders', 'order_notes'], to: 'log' });
    expect(moved!.slices).toEqual([{ from: 0, to: 2 }]);
    const ids = await router.transaction(['orders', 'order_notes'], async tx => [
      ...(await tx.table('orders').select('id').all()),
      ...(await tx.table('order_notes').select('id').all()),
    ]);
    expect(ids).toEqual([{ id: 1n }, { id: 1n }]);
    const elsewhere = memoryStore();
    const stale = new ShardRouter({
      shards: { main: shards.main },
      store: elsewhere,
      key: 'text',
      tables,
      layout,
    });
    onTestFinished(async () => {
      await stale.close();
      await elsewhere.close();
    });
    await stale.ready();
    await expect(stale.table('orders').insert({ id: 2, customer: 'x' })).rejects.toThrow(WrongShardError);
    await stale.table('events').insert({ id: 2, what: 'still here' });
    await mover.rollback(moved!.id);
    expect(router.route('orders').shard).toBe('main');
  });

  it('are refused where they are not declared, and routers that do not know of them', async () => {
    const { store, shards, router, mover } = await site();
    expect(() => router.route('nowhere')).toThrow(UnplacedKeyError);
    await expect(mover.plan({ kind: 'tables', tables: ['nowhere'], to: 'log' })).rejects.toThrow(
      UnplacedKeyError,
    );
    const other = new ShardRouter({ shards, store, name: 'tables', key: 'text' });
    onTestFinished(() => other.close());
    await expect(other.ready()).rejects.toThrow(ShardMapError);
    expect(() => new ShardRouter({ shards, store, key: 'int8', layout })).toThrow("must be 'text'");
    const keyed = { orders: { ...tables.orders, key: ['id'] } } as const;
    expect(() => new ShardRouter({ shards, store, key: 'text', tables: keyed, layout })).toThrow('`key`');
  });

  it('have no indexes over all shards, as maps by range and directory', () => {
    const shards = memoryShards(['main', 'log']);
    const indexed = {
      orders: { ...tables.orders, indexes: { customers: { columns: ['customer'] } } },
    } as const;
    const making = () =>
      new ShardRouter({ shards, store: memoryStore(), key: 'text', tables: indexed, layout });
    expect(making).toThrow('tables.orders.indexes');
  });
});
