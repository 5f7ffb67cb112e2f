import { type ManagedStore, memoryStore } from '../../src/index.ts';
import type { Site, Stage } from './site.ts';

/** One store in the memory of this process. */
export async function memorySite(): Promise<Site> {
  return {
    name: 'memory',
    users: ['owner'],
    troubles: [],
    mostStores: 1,
    begin: async () => new MemoryStage(),
    async [Symbol.asyncDispose]() {},
  };
}

/** A store that is always there. */
class MemoryStage implements Stage {
  readonly stores: readonly ManagedStore[] = [memoryStore()];

  allows(): boolean {
    return true;
  }

  async trouble(): Promise<{ readonly closes: boolean }> {
    return { closes: false };
  }

  async calm(): Promise<void> {}

  width(): number {
    return 1;
  }

  async leftovers(): Promise<readonly string[]> {
    return [];
  }

  async end(): Promise<void> {}
}
