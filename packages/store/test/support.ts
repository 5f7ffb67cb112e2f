import { onTestFinished } from 'vitest';
import { type Store, StoreUnavailableError } from '../src/index.ts';

/** Disposes of it when the test has ended, also when it failed. */
export function ending<T extends AsyncDisposable>(resource: T): T {
  onTestFinished(() => Promise.resolve(resource[Symbol.asyncDispose]()));
  return resource;
}

/** The same store, with its claims and releases in other hands. */
export function intercepted(
  store: Store,
  { claim, release }: Partial<Pick<Store, 'claim' | 'release'>>,
): Store {
  return new Proxy(store, {
    get(target, property) {
      if (property === 'claim' && claim !== undefined) return claim;
      if (property === 'release' && release !== undefined) return release;
      const value = Reflect.get(target, property, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

export function outage(): StoreUnavailableError {
  return new StoreUnavailableError('an outage of this test', 'Unknown');
}
