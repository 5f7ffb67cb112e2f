import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Work } from '@workspace/bench';

/** What each time of the work allocates, whether it keeps it or not; the least of several measurements. */
export function bytesPerTime(work: Work): number {
  // A young generation so large that nothing is collected while it is measured; not before, as it slows down what is timed
  setFlagsFromString('--expose-gc');
  setFlagsFromString('--min-semi-space-size=64');
  const collect = runInNewContext('gc') as () => void;
  const times = 5_000;
  work(200_000);
  let least = Infinity;
  for (let i = 0; i < 15; i++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    work(times);
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / times);
  }
  return Math.max(0, Math.round(least));
}
