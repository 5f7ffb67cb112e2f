import { refused } from '@ashlar/core';
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

/** Works on the parts in order, with no more than `window` in flight. */
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
  } finally {
    await Promise.all(inFlight);
  }
}
