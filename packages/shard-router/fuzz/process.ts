import type { Clock } from '@ashlar/core';
import type { Executor } from '@ashlar/replica-failover/executor';
import { type Change, type Store, StoreUnavailableError } from '@ashlar/store';
import type { MemoryClient } from '../src/index.ts';
import type { MoveBackend } from '../src/moves/move-backend.ts';

/** What becomes of the next change that a process asks the store for. */
export type StoreFault = 'refused' | 'answer lost' | 'late';

/** A process stands still, or dies, when it comes to a call of this name. */
export interface Trap {
  readonly at: string;
  readonly when: 'before' | 'after';
  readonly what: 'kill' | 'stop';
}

/** How late a change is that arrives after its process has been told that nobody knows. */
const lateMs = 800;

/**
 * A process that may stand still, or die. All that it does goes through its clock, its store, its shards and its backend: what it
 * has sent is done, but it goes no further.
 */
export class Process implements Clock {
  readonly #clock: Clock;
  #isPaused = false;
  #isDead = false;
  #waiting: (() => void)[] = [];
  fault: StoreFault | undefined;
  trap: Trap | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal);
    await this.pass();
    signal?.throwIfAborted();
  }

  pause(): void {
    this.#isPaused = true;
  }

  go(): void {
    this.#isPaused = false;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  kill(): void {
    this.#isDead = true;
    this.#waiting = [];
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  #meet(at: string, when: Trap['when']): void {
    if (this.trap?.at !== at || this.trap.when !== when) return;
    if (this.trap.what === 'kill') this.kill();
    else this.pause();
    this.trap = undefined;
  }

  get isRunning(): boolean {
    return !this.#isPaused && !this.#isDead;
  }

  /** Resolves while the process runs. */
  async pass(): Promise<void> {
    if (this.#isDead) return new Promise(() => {});
    if (this.#isPaused) await new Promise<void>(resolve => this.#waiting.push(resolve));
  }

  store(store: Store): Store {
    const call = async <T>(work: () => Promise<T>): Promise<T> => {
      await this.pass();
      const result = await work();
      await this.pass();
      return result;
    };
    const change = async <T>(work: () => Promise<T>): Promise<T> => {
      this.#meet('set', 'before');
      await this.pass();
      try {
        return await this.#faulty(work);
      } finally {
        this.#meet('set', 'after');
      }
    };
    const pass = () => this.pass();
    return {
      durability: store.durability,
      get: key => call(() => store.get(key)),
      getMany: keys => call(() => store.getMany(keys)),
      set: (...args) => call(() => change(() => store.set(...args))),
      setMany: (...args) => call(() => store.setMany(...args)),
      delete: (...args) => call(() => store.delete(...args)),
      claim: (...args) => call(() => store.claim(...args)),
      release: (...args) => call(() => store.release(...args)),
      async *list(prefix) {
        await pass();
        yield* store.list(prefix);
        await pass();
      },
      watch: (prefix, options) => passing<Change>(store.watch(prefix, options), pass),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async #faulty<T>(work: () => Promise<T>): Promise<T> {
    const { fault } = this;
    this.fault = undefined;
    if (fault === 'refused') throw new StoreUnavailableError('it refuses', 'NotExecuted');
    if (fault === 'answer lost') await work().catch(() => {});
    if (fault === 'late')
      void this.#clock
        .sleep(lateMs)
        .then(work)
        .catch(() => {});
    if (fault !== undefined) throw new StoreUnavailableError('the answer is lost', 'Unknown');
    return work();
  }

  shard(shard: Executor<MemoryClient>): Executor<MemoryClient> {
    const call = async <T>(run: () => Promise<T>): Promise<T> => {
      await this.pass();
      try {
        return await run();
      } finally {
        await this.pass();
      }
    };
    const gated =
      <T>(work: (client: MemoryClient) => Promise<T>) =>
      (client: MemoryClient) =>
        work({ execute: statement => call(() => client.execute(statement)) });
    return {
      read: (work, scope) => call(() => shard.read(gated(work), scope)),
      write: (work, scope) => call(() => shard.write(gated(work), scope)),
      transaction: (work, scope) => call(() => shard.transaction(gated(work), scope)),
    };
  }

  backend(backend: MoveBackend): MoveBackend {
    return new Proxy(backend, {
      get: (target, name) => {
        const step: unknown = Reflect.get(target, name, target);
        if (typeof step !== 'function') return step;
        return async (...args: unknown[]) => {
          this.#meet(String(name), 'before');
          await this.pass();
          try {
            return await Reflect.apply(step, target, args);
          } finally {
            this.#meet(String(name), 'after');
            await this.pass();
          }
        };
      },
    });
  }
}

async function* passing<T>(source: AsyncIterable<T>, pass: () => Promise<void>): AsyncGenerator<T> {
  for await (const each of source) {
    await pass();
    yield each;
  }
}
