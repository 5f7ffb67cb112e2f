import { ManualClock } from '@ashlar/core/testing';
import { memoryStore, type Store, StoreClosedError, StoreUnavailableError } from '@ashlar/store';
import { onTestFinished } from 'vitest';
import type { WallClock } from '../../src/clock.ts';

export const minuteMs = 60_000;

/** Begins at noon, and stands still until it is moved. */
export class VirtualClock extends ManualClock implements WallClock {
  readonly startMs: number = Date.parse('2026-06-01T12:00:00Z');

  wallMs(): number {
    return this.startMs + this.now();
  }

  /** A time as minutes since the start. */
  minute(ms: number | Date): number {
    return (Number(ms) - this.startMs) / minuteMs;
  }
}

/** Disposes of it when the test has ended, also when it failed. */
export function ending<T extends AsyncDisposable>(resource: T): T {
  onTestFinished(() => Promise.resolve(resource[Symbol.asyncDispose]()));
  return resource;
}

/** A process as others see it: its calls of the store, until it is killed. */
export class Machine {
  readonly store: Store;
  #isDead = false;
  readonly #grave = gate<never>();
  /** Calls in the order in which they were sent. */
  readonly calls: string[] = [];
  /** Called before a call is sent; may throw. */
  before: (method: string, key: string) => unknown = () => {};
  /** Called with the answer; may throw, and then the answer is lost. */
  after: (method: string, key: string) => unknown = () => {};

  constructor(store: Store) {
    this.store = new Proxy(store, {
      get: (target, property) => {
        const value = Reflect.get(target, property, target) as unknown;
        if (typeof value !== 'function') return value;
        const method = value as (...args: unknown[]) => unknown;
        if (property === 'list' || property === 'watch') return method.bind(target);
        return async (...args: unknown[]) => {
          if (this.#isDead) return this.#grave.opened;
          this.calls.push(`${String(property)} ${String(args[0])}`);
          await this.before(String(property), String(args[0]));
          const answer = await method.apply(target, args);
          await this.after(String(property), String(args[0]));
          return this.#isDead ? this.#grave.opened : answer;
        };
      },
    });
  }

  /** From now on it sends nothing and hears nothing. */
  kill(): void {
    this.#isDead = true;
  }

  /** Ends what still waits, when the test is over. */
  bury(): void {
    this.#isDead = true;
    this.#grave.opened.catch(() => {});
    this.#grave.fail(new StoreClosedError('the store of a dead machine'));
  }
}

export function outage(): StoreUnavailableError {
  return new StoreUnavailableError('an outage of this test', 'Unknown');
}

/** Virtual time, a store that goes by it, and machines that share the store. */
export function site(): { clock: VirtualClock; store: Store; machine(): Machine } {
  const clock = new VirtualClock();
  const store = ending(memoryStore({ clock }));
  return { clock, store, machine: () => new Machine(store) };
}

/** A promise that is settled from outside. */
export function gate<T = void>(): {
  readonly opened: Promise<T>;
  open(value: T): void;
  fail(error: unknown): void;
} {
  let open!: (value: T) => void;
  let fail!: (error: unknown) => void;
  const opened = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { opened, open, fail };
}
