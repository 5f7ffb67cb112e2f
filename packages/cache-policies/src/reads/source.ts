import type { Clock } from '@ashlar/core';
import type { Load, LoadContext, LoadMany } from '../cache-options.ts';

/** What is asked when no tier has a key. At least one of both. */
export interface Source<K, V> {
  readonly load: Load<K, V> | undefined;
  readonly loadMany: LoadMany<K, V> | undefined;
}

/** Asks for one key, also of a source that only takes many. */
export async function askOne<K, V>(
  { load, loadMany }: Source<K, V>,
  key: K,
  context: LoadContext,
): Promise<V | undefined> {
  if (load !== undefined) return load(key, context);
  for (const [, value] of await loadMany!([key], context)) return value;
  return undefined;
}

/**
 * Settles as the work does, or rejects with `late()` after that time, having told `abort` of it. What the work does
 * after that is dropped, also an error.
 */
export async function within<T>(
  clock: Clock,
  timeoutMs: number | undefined,
  work: Promise<T>,
  late: () => Error,
  abort: (reason: Error) => void,
): Promise<T> {
  if (timeoutMs === undefined) return work;
  const over = new AbortController();
  const timer = clock.sleep(timeoutMs, over.signal).then(() => {
    const error = late();
    abort(error);
    throw error;
  });
  work.catch(() => {});
  timer.catch(() => {});
  try {
    return await Promise.race([work, timer]);
  } finally {
    over.abort();
  }
}
