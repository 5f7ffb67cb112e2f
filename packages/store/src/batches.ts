import { refused } from '@ashlar/core';
import { isRetryable, StoreClosedError, StoreUnavailableError } from './errors.ts';
import { checkKey, checkValue } from './limits.ts';

/** The most bytes of values in one batch, whatever their number. */
const batchBytes = 2 ** 20;

/** Batches of at most `count` items and some `batchBytes`. */
export function* batches<T>(
  items: Iterable<T>,
  count: number,
  size: (item: T) => number = () => 0,
): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const item of items) {
    bytes += size(item);
    if (batch.push(item) < count && bytes < batchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/** @throws InvalidOptionError, InvalidKeyError, ValueTooLargeError */
export function* checkedEntries(entries: unknown): Generator<readonly [string, Uint8Array]> {
  if (typeof entries === 'string' || typeof Object(entries)[Symbol.iterator] !== 'function') {
    const advice = 'write `[[key, value], …]`, a Map, or `Object.entries(values)`';
    throw refused('entries', 'an iterable of [key, value]', entries, advice);
  }
  for (const entry of entries as Iterable<unknown>) {
    if (!Array.isArray(entry)) throw refused('entries', 'an iterable of [key, value]', entry);
    const [key, value] = entry as readonly unknown[];
    yield [checkKey(key), checkValue(String(key), value)];
  }
}

export function sizeOf([, value]: readonly [string, Uint8Array]): number {
  return value.byteLength;
}

/** Works on the parts in order, with no more than `window` in flight; it settles when all of them have. */
export async function pipeline<T>(
  parts: Iterable<T>,
  window: number,
  work: (part: T, index: number) => Promise<void>,
): Promise<void> {
  const inFlight: Promise<void>[] = [];
  let index = 0;
  try {
    for (const part of parts) {
      const working = work(part, index++);
      working.catch(() => {}); // The await below throws it, or the error that ended the loop matters more
      if (inFlight.push(working) >= window) await inFlight.shift();
    }
    await Promise.all(inFlight);
  } finally {
    await Promise.allSettled(inFlight);
  }
}

/** As `pipeline`, for writes: an error does not say `NotExecuted` of the whole when a part of it may be executed. */
export async function writeParts<T>(
  store: string,
  parts: Iterable<T>,
  window: number,
  write: (part: T) => Promise<void>,
): Promise<void> {
  let mayBeSet = false;
  const noted = async (part: T) => {
    try {
      await write(part);
      mayBeSet = true;
    } catch (error) {
      mayBeSet ||= (error as { outcome?: unknown }).outcome !== 'NotExecuted';
      throw error;
    }
  };
  try {
    await pipeline(parts, window, noted);
  } catch (error) {
    throw mayBeSet ? ofAPart(store, error) : error;
  }
}

/** What refuses an entry speaks of that entry, and stays as it is. */
function ofAPart(store: string, error: unknown): unknown {
  if ((error as { outcome?: unknown }).outcome !== 'NotExecuted') return error;
  if (error instanceof StoreClosedError)
    return new StoreClosedError(store, 'Unknown', 'a part of it may be set');
  if (!(error instanceof Error) || !isRetryable(error)) return error;
  return new StoreUnavailableError(`${error.message}; a part of it may be set`, 'Unknown', { cause: error });
}
