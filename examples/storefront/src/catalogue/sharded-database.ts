import { memoryShards, ShardRouter } from '@ashlar/shard-router';
import { memoryStore } from '@ashlar/store';
import { type Database, productOf, type SimulatedDatabaseOptions } from './database.ts';

const tables = {
  products: {
    key: ['key'],
    primaryKey: ['key'],
    columns: { key: 'text', name: 'text', cents: 'int4' },
  },
} as const;

export interface ShardedDatabase extends Database, AsyncDisposable {
  /** How many products each shard has. */
  counts(): Promise<Record<string, number>>;
}

/** Products on shards in the memory of this process, each of which is put on its shard when it is asked for first. */
export async function shardedDatabase(
  shards: number,
  { loadMs, random, sleep }: SimulatedDatabaseOptions,
): Promise<ShardedDatabase> {
  const names = Array.from({ length: shards }, (_, index) => `shard-${index + 1}`);
  const store = memoryStore();
  const router = new ShardRouter({ shards: memoryShards(names), store, key: 'text', tables });
  await router.ready();
  const products = router.table('products');
  return {
    async load(key) {
      if (loadMs > 0) await sleep(loadMs * (0.5 + random()));
      // A text of PostgreSQL cannot have it, and so no shard
      if (key.includes('\0')) return productOf(key);
      const found = await products.get({ key });
      if (found !== undefined) return { key, name: found.name!, cents: found.cents! };
      const product = productOf(key);
      await products.upsert(product);
      return product;
    },
    async counts() {
      const counts: Record<string, number> = Object.fromEntries(names.map(name => [name, 0]));
      for await (const { key } of products.select('key').everywhere().stream()) {
        counts[router.route(key!).shard]!++;
      }
      return counts;
    },
    async [Symbol.asyncDispose]() {
      await router.close();
      await store.close();
    },
  };
}
