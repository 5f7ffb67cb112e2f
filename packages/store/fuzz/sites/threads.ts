import { once } from 'node:events';
import type { MessagePort, Worker } from 'node:worker_threads';
import { startThread } from '@workspace/faults';
import { type ManagedStore, memoryStore } from '../../src/index.ts';
import { type Site, type Stage, timeoutOf } from './site.ts';

/** Stores over one that another thread owns. */
export async function threadsSite(): Promise<Site> {
  const worker = startThread(new URL('./thread-owner.ts', import.meta.url));
  await once(worker, 'message');
  let cases = 0;
  return {
    name: 'threads',
    users: ['thread'],
    troubles: ['the owner is busy', 'the owner closes'],
    mostStores: 3,
    async begin(specs) {
      const id = ++cases;
      worker.postMessage({ open: id, ports: specs.length });
      const [ports] = (await once(worker, 'message')) as [MessagePort[]];
      const stores = specs.map((spec, index) =>
        memoryStore({ port: ports[index]!, timeoutMs: timeoutOf(spec) }),
      );
      return new ThreadsStage(worker, id, stores, ports);
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}

class ThreadsStage implements Stage {
  readonly stores: readonly ManagedStore[];
  readonly #worker: Worker;
  readonly #id: number;
  readonly #open: Set<MessagePort>;

  constructor(worker: Worker, id: number, stores: readonly ManagedStore[], ports: readonly MessagePort[]) {
    this.#worker = worker;
    this.#id = id;
    this.stores = stores;
    this.#open = new Set(ports);
    for (const port of ports) port.on('close', () => this.#open.delete(port));
  }

  allows(): boolean {
    return true;
  }

  async trouble(name: string): Promise<{ readonly closes: boolean }> {
    if (name === 'the owner is busy') {
      this.#worker.postMessage({ busyMs: 250 });
      return { closes: false };
    }
    this.#worker.postMessage({ close: this.#id });
    return { closes: true };
  }

  async calm(): Promise<void> {}

  width(): number {
    return 1;
  }

  async leftovers(): Promise<readonly string[]> {
    return this.#open.size === 0 ? [] : ['open ports'];
  }

  async end(): Promise<void> {
    this.#worker.postMessage({ close: this.#id });
  }
}
