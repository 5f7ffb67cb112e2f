import type { ManualClock } from '@ashlar/core/testing';
import { type Change, type Store, StoreUnavailableError } from '@ashlar/store';
import type { WallClock } from '../../src/clock.ts';
import type { Place, StoreFault } from '../plan/plan.ts';

/** The process dies, or stands still, at its next change of this place. */
export interface Trap {
  readonly place: Place;
  readonly when: 'before' | 'after';
  readonly what: 'kill' | 'stop';
}

interface Fault {
  readonly place: Place;
  readonly fault: StoreFault;
  left: number;
}

/** Sees what the processes do to the store, in its order. */
export interface Observer {
  seen(process: Process, key: string, version: string | undefined): void;
  wrote(
    process: Process,
    key: string,
    value: Uint8Array,
    was: string | undefined,
    version: string,
  ): Promise<void>;
  deleted(process: Process, key: string): void;
}

/** How late a change is that arrives after its process has been told that nobody knows. */
const lateMs = 4_000;

/**
 * A process that may stand still, or die. All that it does goes through its clock and its store: what it has sent is done, but it goes
 * no further.
 */
export class Process implements WallClock {
  readonly name: string;
  readonly #clock: ManualClock;
  readonly #startMs: number;
  #state: 'runs' | 'stands still' | 'is dead' = 'runs';
  #waiting: (() => void)[] = [];
  #faults: Fault[] = [];
  #sleeping = 0;
  #watching = 0;
  /** How far its clock is before the others. */
  aheadMs = 0;
  /** How long a call is on its way, and its answer. */
  slowMs = 0;
  trap: Trap | undefined;

  constructor(name: string, clock: ManualClock, startMs: number) {
    this.name = name;
    this.#clock = clock;
    this.#startMs = startMs;
  }

  get isDead(): boolean {
    return this.#state === 'is dead';
  }

  get isRunning(): boolean {
    return this.#state === 'runs';
  }

  /** Timers and watches that are not over. */
  get left(): string[] {
    return [
      ...(this.#sleeping > 0 ? [`${this.#sleeping} timers`] : []),
      ...(this.#watching > 0 ? [`${this.#watching} watches`] : []),
    ];
  }

  now(): number {
    return this.#clock.now();
  }

  wallMs(): number {
    return this.#startMs + this.#clock.now() + this.aheadMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.#sleeping++;
    try {
      await this.#clock.sleep(ms, signal);
    } finally {
      this.#sleeping--;
    }
    await this.pass();
    signal?.throwIfAborted();
  }

  stop(): void {
    if (this.#state === 'runs') this.#state = 'stands still';
  }

  go(): void {
    if (this.#state !== 'stands still') return;
    this.#state = 'runs';
    for (const wake of this.#waiting.splice(0)) wake();
  }

  kill(): void {
    this.#state = 'is dead';
    this.#waiting = [];
  }

  /** Of the next changes of this place. */
  fail(place: Place, fault: StoreFault, times: number): void {
    this.#faults.push({ place, fault, left: times });
  }

  /** Nothing goes wrong any more. */
  calm(): void {
    this.#faults = [];
    this.trap = undefined;
    this.slowMs = 0;
    this.go();
  }

  /** Resolves while the process runs. */
  async pass(): Promise<void> {
    if (this.#state === 'is dead') return new Promise(() => {});
    if (this.#state === 'stands still') await new Promise<void>(resolve => this.#waiting.push(resolve));
  }

  /** The store, as this process reaches it. */
  store(store: Store, observer: Observer): Store {
    const seen = <T extends { readonly key: string; readonly version: string } | undefined>(
      key: string,
      entry: T,
    ) => {
      observer.seen(this, key, entry?.version);
      return entry;
    };
    const read = async <T>(work: () => Promise<T>): Promise<T> => {
      await this.#travel();
      const result = await work();
      await this.#travel();
      return result;
    };
    const pass = () => this.pass();
    const watching = (by: number) => {
      this.#watching += by;
    };
    return {
      durability: store.durability,
      get: async key => seen(key, await read(() => this.#faulty(placeOf(key), false, () => store.get(key)))),
      getMany: keys => read(() => store.getMany(keys)),
      set: (key, value, options) =>
        this.#change(placeOf(key), async () => {
          const version = await store.set(key, value, options);
          await observer.wrote(this, key, value, options?.ifVersion, version);
          return version;
        }),
      setMany: (...args) => this.#change('any', () => store.setMany(...args)),
      delete: (key, options) =>
        this.#change(placeOf(key), async () => {
          const isDeleted = await store.delete(key, options);
          if (isDeleted) observer.deleted(this, key);
          return isDeleted;
        }),
      claim: (...args) => this.#change('claim', () => store.claim(...args)),
      release: (...args) => this.#change('claim', () => store.release(...args)),
      async *list(prefix) {
        await pass();
        yield* store.list(prefix);
        await pass();
      },
      async *watch(prefix, options): AsyncGenerator<Change> {
        watching(1);
        try {
          for await (const change of store.watch(prefix, options)) {
            await pass();
            yield change;
          }
        } finally {
          watching(-1);
        }
      },
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async #change<T>(place: Place, work: () => Promise<T>): Promise<T> {
    this.#meet(place, 'before');
    await this.#travel();
    try {
      return await this.#faulty(place, true, work);
    } finally {
      this.#meet(place, 'after');
      await this.#travel();
    }
  }

  async #travel(): Promise<void> {
    await this.pass();
    if (this.slowMs > 0) await this.sleep(this.slowMs);
  }

  #meet(place: Place, when: Trap['when']): void {
    const { trap } = this;
    if (trap === undefined || trap.when !== when || (trap.place !== 'any' && trap.place !== place)) return;
    this.trap = undefined;
    if (trap.what === 'kill') this.kill();
    else this.stop();
  }

  async #faulty<T>(place: Place, isChange: boolean, work: () => Promise<T>): Promise<T> {
    const fault = this.#faults.find(each => each.place === 'any' || each.place === place);
    if (fault === undefined) return work();
    if (--fault.left <= 0) this.#faults = this.#faults.filter(each => each !== fault);
    const kind = fault.fault;
    if (kind === 'refused' || !isChange) throw new StoreUnavailableError('it refuses', 'NotExecuted');
    if (kind === 'answer lost') await work().catch(() => {});
    else
      void this.#clock
        .sleep(lateMs)
        .then(work)
        .catch(() => {});
    throw new StoreUnavailableError('the answer is lost', 'Unknown');
  }
}

/** What a key is about. */
function placeOf(key: string): Place {
  if (key.endsWith('/state')) return 'state';
  if (key.endsWith('/pointer')) return 'pointer';
  if (key.endsWith('/manifest')) return 'manifest';
  if (key.includes('/runs/')) return 'runs';
  return key.includes('/chunks/') ? 'chunks' : 'any';
}
