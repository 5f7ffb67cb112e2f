import type { Clock } from '@ashlar/core';
import type { Load, LoadContext, LoadMany } from '../options.ts';

/** What is asked when no tier has a key. At least one of both. */
export interface Source<K, V> {
  readonly load: Load<K, V> | undefined;
  readonly loadMany: LoadMany<K, V> | undefined;
}

/** Asks for one key, also of a source that only takes many, and may answer with others. */
export async function askOne<K, V>(
  { load, loadMany }: Source<K, V>,
  key: K,
  idOf: (key: K) => unknown,
  context: LoadContext,
): Promise<V | undefined> {
  if (load !== undefined) return load(key, context);
  return byId(await loadMany!([key], context), idOf).get(idOf(key));
}

/** Of two pairs for one key, the later one. @throws TypeError for what is not iterable */
export function byId<K, V>(
  pairs: Iterable<readonly [K, V]>,
  idOf: (key: K) => unknown,
): ReadonlyMap<unknown, V> {
  const values = new Map<unknown, V>();
  for (const [key, value] of pairs) values.set(idOf(key), value);
  return values;
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
