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
  // V8 takes each string in once; that is the key's cost, not the cache's
  fill();
  const before = used();
  const map = fill();
  const after = used();
  // Named here so that it lives until it was measured
  return map === undefined ? 0 : (after - before) / max;
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
