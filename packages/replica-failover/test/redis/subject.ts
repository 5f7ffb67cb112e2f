import { memoryStore } from '@ashlar/store';
import type { Redis } from 'ioredis';
import { type RedisReplication, startReplication } from '../../faults/redis/replication.ts';
import type { Subject } from '../../src/conformance.ts';
import { leading, ReplicaSet } from '../../src/index.ts';

/** The servers of tests that leave them as they were; those that do not are replaced. */
let shared: RedisReplication | undefined;

export async function endShared(): Promise<void> {
  await shared?.stop();
  shared = undefined;
}

export async function redisSubject(): Promise<Subject<Redis>> {
  shared ??= await startReplication();
  const replication = shared;
  const ids = [...replication.members.keys()];
  const sets: AsyncDisposable[] = [];
  const stopped = new Set<string>();
  const paused = new Set<string>();
  let isSpent = false;
  const server = (id: string) => replication.members.get(id)!;
  const follow = (id: string, other: string) =>
    replication.tell(id, 'REPLICAOF', '127.0.0.1', server(other).port);
  await replication.tell(ids[0]!, 'DEL', 'a', 'b');
  const store = memoryStore();
  return {
    losesAcknowledged: true,
    ids,
    async connect(options) {
      const set = await ReplicaSet.connect({ servers: replication.servers(), ...options });
      sets.push(set);
      return set;
    },
    async lead() {
      isSpent = true;
      const set = await ReplicaSet.connect({
        servers: replication.servers({ acknowledge: 1 }),
        authority: leading({ store, drainMs: 500 }),
      });
      sets.push(set);
      return set;
    },
    put: (client, key, value) => client.set(key, value),
    get: async (client, key) => (await client.get(key)) ?? undefined,
    async kill(id) {
      isSpent = true;
      await server(id).kill();
    },
    start: id => server(id).restart(),
    async stop(id) {
      stopped.add(id);
      server(id).pause();
    },
    async resume(id) {
      stopped.delete(id);
      server(id).resume();
    },
    // A replica cannot receive and not apply: it follows nobody meanwhile
    async pauseReplay(id) {
      paused.add(id);
      await replication.tell(id, 'REPLICAOF', '127.0.0.1', 1);
    },
    async resumeReplay(id) {
      paused.delete(id);
      await follow(id, ids[0]!);
    },
    async promote(id) {
      isSpent = true;
      await replication.tell(id, 'REPLICAOF', 'NO', 'ONE');
      for (const other of ids.slice(1)) if (other !== id) await follow(other, id);
    },
    async [Symbol.asyncDispose]() {
      for (const id of stopped) server(id).resume();
      for (const set of sets) await set[Symbol.asyncDispose]();
      await store.close();
      if (isSpent) return endShared();
      for (const id of paused) await follow(id, ids[0]!);
    },
  };
}
