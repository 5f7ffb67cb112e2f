/**
 * How much later than its time a tick is launched, from 0 to below `jitterMs`. It depends on the job and the tick alone, so that
 * every process and every restart has the same, and jobs of one minute spread.
 */
export function jitterOf(job: string, scheduledAt: number, jitterMs: number): number {
  if (jitterMs === 0) return 0;
  let hash = 0x811c9dc5; // FNV-1a, and the finalizer of MurmurHash3, as its last characters hardly move the high bits
  for (const character of `${job} ${scheduledAt}`) {
    hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return Math.floor((((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32) * jitterMs);
}
