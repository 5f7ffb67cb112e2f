import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** The bytes that what is made keeps, on the heap and in array buffers. */
export function bytesOf(make: () => unknown): number {
  make();
  const before = used();
  const made = make();
  const after = used();
  // Named here so that it lives until it was measured
  return made === undefined ? 0 : after - before;
}

function used(): number {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
