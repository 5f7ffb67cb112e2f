import { onTestFinished } from 'vitest';
import { type Store, StoreUnavailableError } from '../../src/index.ts';

/** Disposes of it when the test has ended, also when it failed. */
export function ending<T extends AsyncDisposable>(resource: T): T {
  onTestFinished(() => Promise.resolve(resource[Symbol.asyncDispose]()));
  return resource;
}

/** The same store, but for some of its methods. */
export function intercepted(store: Store, methods: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, property) {
      const method = Reflect.get(methods, property) as unknown;
      if (method !== undefined) return method;
      const value = Reflect.get(target, property, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

export function outage(): StoreUnavailableError {
  return new StoreUnavailableError('an outage of this test', 'Unknown');
}
