import { refused } from '@ashlar/core';
import { checkMax } from '../slots/bound.ts';

/**
 * The most hits that are possible: Belady's optimum (MIN, 1966), which knows the future and evicts the key that is requested
 * last. For replays: no cache of `max` entries that stores every miss has more hits. Keys are equal as in a `Map`.
 *
 * Memory is linear in the requests, time is that of sorting them.
 *
 * @throws InvalidOptionError
 */
export function opt<K>(requests: Iterable<K>, max: number): number {
  checkMax(max);
  checkRequests(requests);
  const next = nextRequests(requests);
  // each cached key is known by the time of its next request
  const cached = new Latest();
  const asked = new Uint8Array(next.length + 1);
  let hits = 0;
  let size = 0;
  next.forEach((after, now) => {
    if (asked[now] === 1) hits++;
    else if (size < max) size++;
    else asked[cached.pop()] = 0;
    // of keys that are never requested again, any may go
    asked[after] = 1;
    cached.push(after);
  });
  return hits;
}

function checkRequests(requests: unknown): void {
  const isIterable = typeof requests === 'object' && requests !== null && Symbol.iterator in requests;
  if (!isIterable) throw refused('requests', 'an iterable of keys, no string', requests, 'as an array');
}

/** For each request, the next request of its key; the number of requests if there is none. */
function nextRequests<K>(requests: Iterable<K>): Int32Array {
  const keys = [...requests];
  const next = new Int32Array(keys.length);
  const later = new Map<K, number>();
  for (let now = keys.length - 1; now >= 0; now--) {
    next[now] = later.get(keys[now]!) ?? keys.length;
    later.set(keys[now]!, now);
  }
  return next;
}

/** A heap of times: the latest comes first. Times that have passed sink to its bottom and stay. */
class Latest {
  readonly #heap: number[] = [];

  push(moment: number): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(moment);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]! >= moment) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = moment;
  }

  pop(): number {
    const heap = this.#heap;
    const latest = heap[0]!;
    const moment = heap.pop()!;
    if (heap.length === 0) return latest;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && heap[child + 1]! > heap[child]!) child++;
      if (heap[child]! <= moment) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moment;
    return latest;
  }
}
