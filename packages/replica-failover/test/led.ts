import { memoryStore } from '@ashlar/store';
import { afterEach, beforeEach } from 'vitest';
import { type LeadingOptions, leading, ReplicaSet, type ReplicaSetOptions } from '../src/index.ts';

/** What each test of a suite that moves the primary has for itself. */
export interface Led<T> {
  readonly servers: T;
  /** A set that leads, as another process would have it; the term is in one store, unless another is given. */
  connect<C>(
    options: Omit<ReplicaSetOptions<C>, 'authority'>,
    how?: Partial<LeadingOptions>,
  ): Promise<ReplicaSet<C>>;
}

/** Servers of its own for each test, with sets that lead them; all end with the test. */
export function ledServers<T extends { stop(): Promise<void> }>(start: () => Promise<T>): Led<T> {
  let servers: T;
  let store: ReturnType<typeof memoryStore>;
  let sets: AsyncDisposable[] = [];
  beforeEach(async () => {
    store = memoryStore();
    servers = await start();
  });
  afterEach(async () => {
    for (const set of sets) await set[Symbol.asyncDispose]();
    sets = [];
    await store.close();
    await servers.stop();
  });
  return {
    get servers() {
      return servers;
    },
    async connect(options, how) {
      const set = await ReplicaSet.connect({ ...options, authority: leading({ store, ...how }) });
      sets.push(set);
      return set;
    },
  };
}
