import type { DirectoryParts } from '../../src/map/first-map.ts';
import type { MemoryClient, MemoryShard } from '../../src/memory/memory-shard.ts';
import type { ShardRouter } from '../../src/router.ts';
import { type MovingShards, movingShards, noteOf, put, rowsOf } from '../support/moving-shards.ts';

/** Each of the ten tenants has an entry: those up to 40 on shard a, the others on b. */
export const layout: DirectoryParts = {
  kind: 'directory',
  entries: Array.from({ length: 10 }, (_, i) => ({ key: i * 10, shard: i < 5 ? 'a' : 'b' })),
};

export const tenantsIn = async (shard: MemoryShard): Promise<number[]> =>
  (await shard.read(db => db.execute(rowsOf()))).rows.map(row => Number(row['tenant'])).sort((a, b) => a - b);

/** Deletes the rows of a tenant, and says how many there were. */
export async function remove(db: MemoryClient, tenant: number): Promise<number> {
  const { rows } = await db.execute(rowsOf(tenant));
  const { table } = put(tenant, 1);
  await db.execute({ kind: 'delete', table, where: [{ column: 'tenant', op: '=', value: BigInt(tenant) }] });
  return rows.length;
}

/**
 * Shards with a row of each tenant from 0 to 90 by tens.
 *
 * @param first the shards that the first map has
 */
export async function filled(
  more: object,
  first: readonly string[] = ['a', 'b', 'c'],
): Promise<MovingShards & { readonly one: ShardRouter<MemoryClient> }> {
  const site = await movingShards(['a', 'b', 'c']);
  const early = Object.fromEntries(first.map(name => [name, site.shards[name]!]));
  await (await site.router({ ...more, shards: early })).close();
  const router = await site.router(more);
  for (let tenant = 0; tenant < 100; tenant += 10)
    await router.on(tenant).write(db => db.execute(put(tenant, 1)));
  // Nobody dies here: on a busy machine a short lease would end under who works
  return { ...site, one: router, mover: limits => site.mover({ leaseMs: 10_000, ...limits }) };
}

interface BegunRead {
  runs: number;
  goOn(): void;
  done: Promise<unknown>;
}

/** A read of a row which began before what comes next, and goes on when it is told to. */
export function begunRead(router: ShardRouter<MemoryClient>, tenant: number): BegunRead {
  let goOn!: () => void;
  const told = new Promise<void>(resolve => {
    goOn = resolve;
  });
  const read: BegunRead = { runs: 0, goOn, done: Promise.resolve() };
  read.done = router.on(tenant).read(async db => {
    if (read.runs++ === 0) await told;
    return noteOf(db, tenant);
  });
  return read;
}
