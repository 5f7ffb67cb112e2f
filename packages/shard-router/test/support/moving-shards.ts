import { type ManagedStore, memoryStore } from '@ashlar/store';
import { onTestFinished } from 'vitest';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import { type MemoryClient, type MemoryShard, memoryShards } from '../../src/memory/memory-shard.ts';
import type { Moved } from '../../src/memory/moved-rows.ts';
import type { MoveBackend } from '../../src/moves/move-backend.ts';
import { Mover } from '../../src/moves/mover.ts';
import type { MoverOptions } from '../../src/moves/mover-options.ts';
import type { ShardRouterOptions } from '../../src/options.ts';
import { ShardRouter } from '../../src/router.ts';
import type { Statement } from '../../src/tables/statement.ts';
import type { TableSpec, Tables } from '../../src/tables/table.ts';
import { Table } from '../../src/tables/table-of.ts';

const spec = {
  key: ['tenant'],
  primaryKey: ['tenant', 'id'],
  columns: { tenant: 'int8', id: 'int4', note: 'text' },
} as const satisfies TableSpec;

export const tables: Tables = { orders: spec };
const orders = new Table('orders', spec, 'int8');

export const put = (tenant: number, id: number, note = 'x'): Statement => ({
  kind: 'insert',
  table: orders,
  rows: [{ tenant: BigInt(tenant), id, note }],
  onConflict: 'update',
});

export const clear: Statement = { kind: 'truncate', table: orders };

export const rowsOf = (tenant?: number): Statement => ({
  kind: 'select',
  table: orders,
  columns: ['tenant', 'id', 'note'],
  where: tenant === undefined ? [] : [{ column: 'tenant', op: '=', value: BigInt(tenant) }],
  orderBy: [{ column: 'id', descending: false, nulls: 'last' }],
  limit: undefined,
});

export const noteOf = async (db: MemoryClient, tenant: number): Promise<unknown> =>
  (await db.execute(rowsOf(tenant))).rows[0]?.['note'];

/** Shards in memory with a store: routers, and movers that are quick. */
export interface MovingShards {
  readonly store: ManagedStore;
  readonly shards: Readonly<Record<string, MemoryShard>>;
  router(more?: Partial<ShardRouterOptions<MemoryClient>>): Promise<ShardRouter<MemoryClient>>;
  mover(more?: Partial<MoverOptions>): Mover;
}

/** @param names the first two get the slots, sixteen of them */
export async function movingShards(names: readonly string[] = ['a', 'b']): Promise<MovingShards> {
  const store = memoryStore();
  const shards = memoryShards(names);
  onTestFinished(() => store.close());
  const backend: MoveBackend = memoryMoves({ shards, batch: 10 });
  return {
    store,
    shards,
    async router(more = {}) {
      const router = new ShardRouter<MemoryClient>({ shards, store, key: 'int8', slots: 16, ...more });
      onTestFinished(() => router.close());
      await router.ready();
      return router;
    },
    mover(more = {}) {
      const mover = new Mover({ backend, store, tables, steadyMs: 0, leaseMs: 500, ...more });
      onTestFinished(() => mover.close());
      return mover;
    },
  };
}

/** The first tenants whose slots a shard has. */
export function tenantsOn(router: ShardRouter<MemoryClient>, shard: string, count: number): number[] {
  const found: number[] = [];
  for (let tenant = 0; found.length < count; tenant++) {
    if (router.route(tenant).shard === shard) found.push(tenant);
  }
  return found;
}

/** All rows of all tenants. */
export const everything: Moved = { slices: [{ from: 0, to: 16 }], key: 'int8', slots: 16, tables };
