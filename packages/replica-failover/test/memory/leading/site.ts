import { type ManagedStore, memoryStore } from '@ashlar/store';
import { afterEach, beforeEach } from 'vitest';
import {
  type LeadingOptions,
  leading,
  type MemoryClient,
  type MemoryCluster,
  type MemoryClusterOptions,
  memoryCluster,
  ReplicaSet,
  type ReplicaSetOptions,
  type ServerSnapshot,
  type TermRecord,
} from '../../../src/index.ts';

/** A cluster in memory, and the replica sets that lead it over one store. Each test has its own. */
export interface LeadingSite {
  readonly cluster: MemoryCluster;
  readonly store: ManagedStore;
  /** Another cluster than that of three servers, before there is a set. */
  start(options: MemoryClusterOptions): void;
  /** A replica set as of one more process, which is closed with the test. */
  connect(
    options?: Partial<LeadingOptions>,
    more?: Partial<ReplicaSetOptions<MemoryClient>>,
  ): Promise<ReplicaSet<MemoryClient>>;
  /** Who leads, as the store has it. */
  record(): Promise<TermRecord>;
}

/** @param defaults of the sets that it connects */
export function leadingSite(defaults: Partial<LeadingOptions> = {}): LeadingSite {
  let cluster: MemoryCluster;
  let store: ManagedStore;
  let sets: ReplicaSet<MemoryClient>[];
  beforeEach(() => {
    cluster = memoryCluster();
    store = memoryStore();
    sets = [];
  });
  afterEach(async () => {
    for (const set of sets) await set.close();
    await store.close();
  });
  return {
    get cluster() {
      return cluster;
    },
    get store() {
      return store;
    },
    start(options) {
      cluster = memoryCluster(options);
    },
    async connect(options = {}, more = {}) {
      const set = await ReplicaSet.connect({
        servers: cluster.servers(),
        authority: leading({ store, silentMs: 50, refusedMs: 10, ...defaults, ...options }),
        heartbeat: { intervalMs: 10, deadlineMs: 200 },
        ...more,
      });
      sets.push(set);
      return set;
    },
    async record() {
      const { value } = (await store.get('failover:replica-set:term'))!;
      return JSON.parse(new TextDecoder().decode(value));
    },
  };
}

export function serverOf(set: ReplicaSet<MemoryClient>, id: string): ServerSnapshot | undefined {
  return set.snapshot().servers.find(each => each.id === id);
}
