import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Key, Make } from './peers.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** The bytes an entry that a cache keeps on the heap and in array buffers, the key and the value not counted. */
export function bytesPerEntry(make: Make, max: number, keys: readonly Key[]): number {
  const fill = () => {
    const map = make(max);
    for (const key of keys) map.set(key, 1);
    return map;
  };
  return bytesKept(fill) / max;
}

/** The bytes on the heap and in array buffers of what is made, and kept. */
export function bytesKept(make: () => object): number {
  // V8 takes each string in once and compiles; that is not the cost of what is kept
  make();
  const before = used();
  const made = make();
  const after = used();
  // Named here so that it lives until it was measured
  return made === undefined ? 0 : after - before;
}

export function collectGarbage(): void {
  collect();
  collect();
}

function used(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
