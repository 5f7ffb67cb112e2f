import { bytesKept } from '@workspace/bench';
import type { Key, Make } from './peers.ts';

/** The bytes an entry that a cache keeps on the heap and in array buffers, the key and the value not counted. */
export function bytesPerEntry(make: Make, max: number, keys: readonly Key[]): number {
  const fill = () => {
    const map = make(max);
    for (const key of keys) map.set(key, 1);
    return map;
  };
  return bytesKept(fill) / max;
}
