import type { MemoryClient, MemoryShard } from '../../src/memory/memory-shard.ts';
import type { ShardRouter } from '../../src/router.ts';
import { type MovingShards, movingShards, put, rowsOf } from '../support/moving-shards.ts';

export const tenantsIn = async (shard: MemoryShard): Promise<number[]> =>
  (await shard.read(db => db.execute(rowsOf()))).rows.map(row => Number(row['tenant'])).sort((a, b) => a - b);

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
  return { ...site, one: router };
}
