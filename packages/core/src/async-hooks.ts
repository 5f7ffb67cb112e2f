/** What `AsyncLocalStorage` has here: core is built without the types of Node. */
export interface AsyncStorage<T> {
  getStore(): T | undefined;
  run<R>(store: T, work: () => R): R;
  disable(): void;
}

export interface AsyncHooks {
  readonly AsyncLocalStorage: new <T>() => AsyncStorage<T>;
  readonly AsyncResource: new (type: string) => { runInAsyncScope<R>(work: () => R): R };
}

interface ProcessLike {
  getBuiltinModule?(id: string): AsyncHooks | undefined;
}

/** Node's module for asynchronous contexts; undefined where there is none, as in a browser. */
export function asyncHooks(): AsyncHooks | undefined {
  const { process } = globalThis as { process?: ProcessLike };
  return process?.getBuiltinModule?.('node:async_hooks');
}
