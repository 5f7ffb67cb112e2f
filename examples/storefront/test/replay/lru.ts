/** An exact LRU cache of `size` keys: a map keeps the order of insertion. */
export function lruHits(keys: Iterable<string | number>, size: number): number {
  const cached = new Map<string | number, true>();
  let hits = 0;
  for (const key of keys) {
    if (cached.delete(key)) hits++;
    cached.set(key, true);
    for (const oldest of cached.keys()) {
      if (cached.size <= size) break;
      cached.delete(oldest);
    }
  }
  return hits;
}
