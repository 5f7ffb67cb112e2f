/** The stack distance of a request for a key that has not been requested before: no LRU cache holds it. */
const neverSeen = 0;

/**
 * For each request, how many distinct keys were requested since its key was last, itself included: an LRU cache of
 * that many entries or more answers it, a smaller one does not (Mattson et al. 1970). One pass, so that the hits of
 * every cache size are counted at once.
 */
export function stackDistances(keys: ArrayLike<number>): Int32Array {
  const distances = new Int32Array(keys.length);
  const lastAt = new Map<number, number>();
  // A Fenwick tree over the requests that has a one where a key was requested last.
  const tree = new Int32Array(keys.length + 1);
  const add = (at: number, one: number) => {
    for (let node = at + 1; node < tree.length; node += node & -node) tree[node]! += one;
  };
  const sumUpTo = (at: number) => {
    let sum = 0;
    for (let node = at + 1; node > 0; node -= node & -node) sum += tree[node]!;
    return sum;
  };
  for (let at = 0; at < keys.length; at++) {
    const before = lastAt.get(keys[at]!);
    if (before === undefined) distances[at] = neverSeen;
    else {
      distances[at] = sumUpTo(at - 1) - sumUpTo(before - 1);
      add(before, -1);
    }
    add(at, 1);
    lastAt.set(keys[at]!, at);
  }
  return distances;
}

/** The share of the first `requests` that an LRU cache of `size` entries answers. */
export function lruHitRatio(
  distances: Int32Array,
  size: number,
  requests: number = distances.length,
): number {
  let hits = 0;
  for (let at = 0; at < requests; at++) {
    if (distances[at] !== neverSeen && distances[at]! <= size) hits++;
  }
  return hits / requests;
}
