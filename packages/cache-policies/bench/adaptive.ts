import {
  type AutoMap,
  auto,
  type BoundedMap,
  Cache,
  CacheAdvisor,
  type Eviction,
  lirs,
  lru,
  s3fifo,
  twoQueue,
  wTinyLfu,
} from '@ashlar/cache-policies';
import { seededRandom } from '@ashlar/core';
import { type Bench, bytesKept, figures, main, timing, type Work } from '@workspace/bench';
import { haveTraces } from '@workspace/services/traces';
import { readTrace } from '../test/support/traces.ts';
import { zipf } from '../test/support/workloads.ts';
import { bytesPerEntry } from './memory.ts';
import type { Key } from './peers.ts';
import { getOrSet, kinds } from './work.ts';

type Watcher = Pick<CacheAdvisor, 'follows' | 'hit' | 'miss' | 'unfollowed'>;

const evictions: Readonly<Record<string, Eviction>> = { lirs, wTinyLfu, lru, s3fifo, twoQueue };

interface Workload {
  readonly name: string;
  readonly max: number;
  keys(keyOf: (number: number) => Key): Key[];
}

function popular(name: string, max: number, keys: number, requests: number): Workload {
  // 7919 has no factor in common with their number, so popular keys are not neighbors
  const of = (keyOf: (number: number) => Key) =>
    Array.from({ length: keys }, (_, i) => keyOf((i * 7_919) % keys));
  return {
    name: `${name} at ${max}`,
    max,
    keys: keyOf => {
      const named = of(keyOf);
      return Array.from(zipf(1, keys, 0.99, requests), rank => named[rank]!);
    },
  };
}

function traced(trace: string, max: number): Workload[] {
  if (!haveTraces) return [];
  return [
    {
      name: `${trace} at ${max}`,
      max,
      keys: keyOf => Array.from(readTrace(trace).subarray(0, 300_000), keyOf),
    },
  ];
}

const workloads: readonly Workload[] = [
  popular('hits', 10_000, 5_000, 2 ** 16),
  popular('Zipf', 10_000, 100_000, 2 ** 18),
  popular('Zipf', 100_000, 1_000_000, 2 ** 20),
  ...traced('arc-OLTP', 10_000),
];

/** So many that `auto` has made its choice, and that what is beside each other in memory is so by chance. */
const warmingPasses = 10;

/** As `getOrSet`, and the watcher is told. */
function watched(map: BoundedMap<Key, number>, keys: readonly Key[], watcher: Watcher): Work {
  let next = 0;
  const work: Work = times => {
    let hits = 0;
    for (let i = 0; i < times; i++) {
      const key = keys[next]!;
      if (map.get(key) === undefined) {
        map.set(key, next);
        watcher.miss(key);
      } else {
        hits++;
        watcher.hit(key);
      }
      next = next + 1 === keys.length ? 0 : next + 1;
    }
    return hits;
  };
  work(keys.length);
  return work;
}

interface Held {
  readonly value: number;
  readonly isFollowed: boolean;
}

/** As `watched`, with the mark of the watcher beside each value. */
function marked(map: BoundedMap<Key, Held>, keys: readonly Key[], watcher: Watcher): Work {
  let next = 0;
  const work: Work = times => {
    let hits = 0;
    for (let i = 0; i < times; i++) {
      const key = keys[next]!;
      const held = map.get(key);
      if (held === undefined) {
        watcher.miss(key);
        map.set(key, { value: next, isFollowed: watcher.follows(key) });
      } else {
        hits++;
        if (held.isFollowed) watcher.hit(key);
        else watcher.unfollowed.hits++;
      }
      next = next + 1 === keys.length ? 0 : next + 1;
    }
    return hits;
  };
  work(keys.length);
  return work;
}

/** Hits of a `Cache`, in memory; what waits for them is not counted. */
function cacheHits(keys: readonly Key[], max: number, observer?: CacheAdvisor): Work {
  const cache = new Cache<Key, number>({
    max,
    eviction: s3fifo,
    ...(observer && { observer }),
    load: async () => 1,
  });
  for (const key of new Set(keys)) void cache.set(key, 1);
  let next = 0;
  return times => {
    let last: unknown;
    for (let i = 0; i < times; i++) {
      last = cache.get(keys[next]!);
      next = next + 1 === keys.length ? 0 : next + 1;
    }
    return last;
  };
}

const nobody: Watcher = { follows: () => false, hit() {}, miss() {}, unfollowed: { hits: 0 } };
const measured = { rounds: 21, sampleMs: 30 };

const overheads: Bench[] = workloads.flatMap(({ name, max, keys }) =>
  Object.entries(kinds).flatMap(([kind, keyOf]) => [
    timing(`auto, ${name}, ${kind}`, () => {
      const requests = keys(keyOf);
      const map: AutoMap<Key, number> = auto({ max, random: seededRandom(1) });
      const work = getOrSet(map, requests, warmingPasses);
      const alone = evictions[map.policy]!<Key, number>({ max });
      return {
        ours: [map.policy, getOrSet(alone, requests, warmingPasses)],
        peers: { auto: work },
        ...measured,
      };
    }),
    timing(`advisor, ${name}, ${kind}`, () => {
      const requests = keys(keyOf);
      const advisor = new CacheAdvisor({ max, eviction: s3fifo, random: seededRandom(1) });
      return {
        ours: ['s3fifo', watched(s3fifo({ max }), requests, nobody)],
        peers: { advised: watched(s3fifo({ max }), requests, advisor) },
        ...measured,
      };
    }),
    timing(`advisor with marks, ${name}, ${kind}`, () => {
      const requests = keys(keyOf);
      const advisor = new CacheAdvisor({ max, eviction: s3fifo, random: seededRandom(1) });
      return {
        ours: ['s3fifo', marked(s3fifo({ max }), requests, nobody)],
        peers: { advised: marked(s3fifo({ max }), requests, advisor) },
        ...measured,
      };
    }),
  ]),
);

const caches: Bench[] = [workloads[0]!, popular('hits', 100_000, 50_000, 2 ** 18)].flatMap(
  ({ name, max, keys }) =>
    Object.entries(kinds).map(([kind, keyOf]) =>
      timing(`advisor of a Cache, ${name}, ${kind}`, () => {
        const requests = keys(keyOf);
        const advisor = new CacheAdvisor({ max, eviction: s3fifo, random: seededRandom(1) });
        return {
          ours: ['Cache', cacheHits(requests, max)],
          peers: { advised: cacheHits(requests, max, advisor) },
          ...measured,
        };
      }),
    ),
);

const memory: Bench[] = [10_000, 100_000].flatMap(max =>
  Object.entries(kinds).map(([kind, keyOf]) =>
    figures(`memory of auto at ${max}, ${kind}`, 'bytes an entry', () => {
      const keys = Array.from({ length: 3 * max }, (_, i) => keyOf((i * 7_919) % (3 * max)));
      const bytes = (eviction: Eviction) =>
        bytesPerEntry(entries => eviction<Key, number>({ max: entries }), max, keys);
      const policy = auto({ max }).policy;
      return {
        ours: [policy, bytes(evictions[policy]!)],
        peers: { 'itself (noise floor)': bytes(evictions[policy]!), auto: bytes(auto) },
      };
    }),
  ),
);

/** What it keeps once it was told of more keys than the largest of its miniatures could hold. */
const advisors: Bench[] = Object.entries({ lru, s3fifo }).map(([policy, eviction]) =>
  figures(`memory of an advisor, of ${policy}`, 'bytes', () => {
    const bytes = (max: number) =>
      bytesKept(() => {
        const advisor = new CacheAdvisor({ max, eviction, random: seededRandom(1) });
        for (let key = 0; key < 20 * max; key++) advisor.miss(key);
        advisor.estimate();
        return advisor;
      });
    const peers = [1_000, 10_000, 100_000, 1_000_000].map(max => [`beside ${max}`, bytes(max)]);
    return { ours: ['beside 100', bytes(100)], peers: Object.fromEntries(peers) };
  }),
);

await main([...overheads, ...caches, ...memory, ...advisors]);
