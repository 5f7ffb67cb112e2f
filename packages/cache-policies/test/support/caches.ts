import { ManualClock } from '@ashlar/core/testing';
import { onTestFinished } from 'vitest';
import { Cache, type CacheOptions } from '../../src/index.ts';

/** A promise to be settled by hand. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** Loads that are settled by hand, in the order in which they were begun. */
export class ManualSource<K, V> {
  readonly calls: {
    readonly key: K;
    readonly signal: AbortSignal;
    readonly answer: Deferred<V | undefined>;
  }[] = [];

  readonly load = (key: K, { signal }: { readonly signal: AbortSignal }): Promise<V | undefined> => {
    const answer = deferred<V | undefined>();
    this.calls.push({ key, signal, answer });
    return answer.promise;
  };

  get keys(): readonly K[] {
    return this.calls.map(({ key }) => key);
  }

  resolve(call: number, value: V | undefined): void {
    this.calls[call]!.answer.resolve(value);
  }
}

/** A cache with a clock that is moved by hand, closed when the test has ended. */
export function manualCache<K = string, V = string>(
  options: Partial<CacheOptions<K, V>> = {},
): { readonly cache: Cache<K, V>; readonly clock: ManualClock } {
  const clock = (options.clock as ManualClock | undefined) ?? new ManualClock();
  const cache = new Cache<K, V>({ max: 100, ...options, clock });
  onTestFinished(() => cache.close().catch(() => {}));
  return { cache, clock };
}

/** Lets everything that is ready run. */
export function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
