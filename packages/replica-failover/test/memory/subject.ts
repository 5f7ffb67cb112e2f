import { memoryStore } from '@ashlar/store';
import type { Subject } from '../../src/conformance.ts';
import { leading, type MemoryClient, memoryCluster, ReplicaSet, type Server } from '../../src/index.ts';

/** @param change what each server of each set is made into */
export async function memorySubject(
  change: (server: Server<MemoryClient>) => Server<MemoryClient> = server => server,
): Promise<Subject<MemoryClient>> {
  const cluster = memoryCluster();
  const sets: AsyncDisposable[] = [];
  const acknowledgedBy = async (replicas: number) => {
    for (const server of cluster.servers()) {
      const administration = await server.administer!(1, AbortSignal.timeout(1_000)).catch(() => undefined);
      await administration?.require(['a', 'b', 'c'], replicas);
    }
  };
  const store = memoryStore();
  const connect: Subject<MemoryClient>['connect'] = async options => {
    const set = await ReplicaSet.connect({ servers: cluster.servers().map(change), ...options });
    sets.push(set);
    return set;
  };
  return {
    ids: ['a', 'b', 'c'],
    connect,
    lead: () => connect({ authority: leading({ store, drainMs: 500 }) }),
    put: (client, key, value) => client.set(key, value),
    get: (client, key) => client.get(key),
    kill: async id => cluster.kill(id),
    start: async id => cluster.start(id),
    stop: async id => cluster.stop(id),
    resume: async id => cluster.resume(id),
    pauseReplay: async id => cluster.pauseReplay(id),
    resumeReplay: async id => cluster.resumeReplay(id),
    async promote(id) {
      await acknowledgedBy(1);
      cluster.promote(id);
    },
    holdAcknowledgments: () => acknowledgedBy(3),
    async [Symbol.asyncDispose]() {
      for (const set of sets) await set[Symbol.asyncDispose]();
      await store.close();
    },
  };
}
