import { type ManagedStore, memoryStore } from '@ashlar/store';
import { onTestFinished } from 'vitest';

interface Router {
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** A router that is ready, with a store of its own; both are closed with the test. */
export async function readyRouter<R extends Router>(make: (store: ManagedStore) => R): Promise<R> {
  const store = memoryStore();
  const router = make(store);
  onTestFinished(async () => {
    await router.close();
    await store.close();
  });
  await router.ready();
  return router;
}
