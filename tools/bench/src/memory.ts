import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
// Code that has not run for some collections would be given up between two measurements, and count as less kept
setFlagsFromString('--no-flush-bytecode');
const collect = runInNewContext('gc') as () => void;

/** The bytes that what is made keeps, on the heap and in array buffers. */
export function bytesKept(make: () => unknown): number {
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
