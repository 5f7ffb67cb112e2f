interface Fetch<V> {
  readonly controller: AbortController;
  readonly promise: Promise<V | undefined>;
}

/** At most one fetch a key. A fetch whose key changes meanwhile is aborted, and rejects with the reason. */
export class Fetches<K, V> {
  readonly #current = new Map<K, Fetch<V>>();

  get(key: K): Promise<V | undefined> | undefined {
    return this.#current.get(key)?.promise;
  }

  /** Calls `store` with the outcome, unless the fetch was aborted. */
  begin(
    key: K,
    outside: AbortSignal | undefined,
    fetch: (signal: AbortSignal) => V | undefined | Promise<V | undefined>,
    store: (outcome: { readonly value: V | undefined } | { readonly error: unknown }) => void,
  ): Promise<V | undefined> {
    const controller = new AbortController();
    const { signal } = controller;
    const settle = (outcome: Parameters<typeof store>[0]) => {
      outside?.removeEventListener('abort', onAbort);
      if (signal.aborted) return;
      this.#current.delete(key);
      store(outcome);
    };
    const onAbort = () => void this.abort(key, outside!.reason);
    const promise = new Promise<V | undefined>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      const fetching = new Promise<V | undefined>(resolveFetch => resolveFetch(fetch(signal)));
      fetching
        .then(
          value => {
            settle({ value });
            resolve(value);
          },
          error => {
            settle({ error });
            reject(error);
          },
        )
        .catch(reject); // what `store` throws
    });
    promise.catch(() => {}); // a caller with a stale value does not wait for it
    this.#current.set(key, { controller, promise });
    if (outside?.aborted) onAbort();
    else outside?.addEventListener('abort', onAbort, { once: true });
    return promise;
  }

  /** Whether there was one. */
  abort(key: K, reason: unknown): boolean {
    const fetch = this.#current.get(key);
    this.#current.delete(key);
    fetch?.controller.abort(reason);
    return fetch !== undefined;
  }

  abortAll(reason: unknown): void {
    for (const key of [...this.#current.keys()]) this.abort(key, reason);
  }
}
