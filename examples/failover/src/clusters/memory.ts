import { leading, type MemoryClient, memoryCluster, ReplicaSet } from '@ashlar/replica-failover';
import { memoryStore } from '@ashlar/store';
import type { Cluster } from './cluster.ts';
import { type OrderBook, SetShop } from './set-shop.ts';

const prefix = 'order:';

const book: OrderBook<MemoryClient> = {
  by: 'transaction',
  add: (client, order) => client.set(`${prefix}${order}`, 'taken'),
  has: async (client, order) => (await client.get(`${prefix}${order}`)) !== undefined,
  all: async client => (await client.keys(prefix)).map(key => Number(key.slice(prefix.length))),
};

/** Simulated servers in the memory of this process. */
export async function startMemory(): Promise<Cluster> {
  const ids = ['a', 'b', 'c'];
  const cluster = memoryCluster({ ids, lagMs: 5 });
  const store = memoryStore();
  return {
    title: 'in memory',
    ids,
    async connect() {
      return new SetShop(
        await ReplicaSet.connect({ servers: cluster.servers(), authority: leading({ store }) }),
        book,
      );
    },
    kill: async id => cluster.kill(id),
    stop: async id => cluster.stop(id),
    resume: async id => cluster.resume(id),
    start: async id => cluster.start(id),
    pauseReplay: async id => cluster.pauseReplay(id),
    resumeReplay: async id => cluster.resumeReplay(id),
    rejoin: async id => cluster.rejoin(id),
    [Symbol.asyncDispose]: () => store.close(),
  };
}
