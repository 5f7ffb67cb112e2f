import type { ChildProcess } from 'node:child_process';
import { MessageChannel } from 'node:worker_threads';
import { Fence, type FencingToken, memoryStore, StaleTokenError } from '@ashlar/store';
import type { Backend, Counter, ParentBackend } from './backend.ts';

/** What travels between a child and its parent: what a store's port carries, and the one question of the counter. */
interface Asked {
  readonly store?: unknown;
  readonly increment?: FencingToken;
}
interface Answered {
  readonly store?: unknown;
  readonly counter?: { readonly count: number } | { readonly seen: FencingToken };
}

class MemoryCounter implements Counter {
  readonly #fence = new Fence('the counter');
  #count = 0;

  async create(): Promise<void> {}

  async increment(lease: FencingToken): Promise<number> {
    this.#fence.admit(lease); // in the same turn as the write
    return ++this.#count;
  }

  async read(): Promise<number> {
    return this.#count;
  }

  async remove(): Promise<void> {}
}

/** In this process, which answers for its children over the channels that `fork` made. */
export function parentMemory(): ParentBackend {
  const store = memoryStore();
  const counter = new MemoryCounter();
  return {
    store,
    counter,
    attach(child: ChildProcess) {
      const port = store.connect();
      const answer = (message: Answered) => void (child.connected && child.send(message));
      port.on('message', (message: unknown) => answer({ store: message }));
      child.on('message', ({ store: message, increment }: Asked) => {
        if (message !== undefined) port.postMessage(message);
        if (increment === undefined) return;
        counter.increment(increment).then(
          count => answer({ counter: { count } }),
          (error: StaleTokenError) => answer({ counter: { seen: error.seen } }),
        );
      });
      child.once('exit', () => port.close());
    },
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/** In the parent of this process: a port of the parent's store, carried on over the channel between the two. */
export function childMemory(): Backend {
  const { port1: here, port2: port } = new MessageChannel();
  const ask = (message: Asked) => void process.send?.(message);
  let answered: (answer: NonNullable<Answered['counter']>) => void = () => {};
  here.on('message', (message: unknown) => ask({ store: message }));
  process.on('message', ({ store: message, counter }: Answered) => {
    if (message !== undefined) here.postMessage(message);
    if (counter !== undefined) answered(counter);
  });
  const store = memoryStore({ port });
  return {
    store,
    counter: {
      async increment({ token, holder }) {
        const presented = { token, holder };
        ask({ increment: presented });
        // a leader asks one question at a time
        const answer = await new Promise<Parameters<typeof answered>[0]>(resolve => (answered = resolve));
        if ('seen' in answer) throw new StaleTokenError('the counter', presented, answer.seen);
        return answer.count;
      },
    },
    [Symbol.asyncDispose]: () => store.close(),
  };
}
