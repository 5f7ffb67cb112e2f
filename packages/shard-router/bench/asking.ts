import { memoryStore } from '@ashlar/store';
import { type Bench, cost } from '@workspace/bench';
import { memoryShards, ShardRouter } from '../src/index.ts';

/** A query that finds nothing in memory: what asking all shards costs apart from their rows and answers. */
export const asking: readonly Bench[] = [4, 16].map(shards =>
  cost(`ask ${shards} shards`, async () => {
    const router = new ShardRouter({
      shards: memoryShards(Array.from({ length: shards }, (_, i) => `shard${i}`)),
      store: memoryStore(),
      key: 'int8',
      tables: { items: { key: ['id'], primaryKey: ['id'], columns: { id: 'int8' } } },
    });
    await router.ready();
    const items = router.table('items');
    return {
      ours: ['all', () => items.select().everywhere().all()],
      peers: { one: () => items.select().where({ id: 1 }).all() },
      [Symbol.asyncDispose]: () => router.close(),
    };
  }),
);
