import { memoryStore } from '@ashlar/store';
import { type Bench, figures, timing } from '@workspace/bench';
import { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import type { Precompute } from '../src/index.ts';
import { indexes, keyOf, type Product, product, products } from './data.ts';
import { redisPlace } from './places.ts';

const entries = 100_000;
const hotKeys = 1_000;
const sample = 2 ** 14;

type Get = (key: string) => unknown;

/** Keys are made beforehand, as a request has its key. */
function gets(get: Get, below: number): (times: number) => unknown {
  const keys = indexes(sample, below).map(keyOf);
  return times => {
    let last: unknown;
    for (let i = 0; i < times; i++) last = get(keys[i % sample]!);
    return last;
  };
}

const single = 2_000;
const rounds = 20;

/** The 99th percentile of each in microseconds, one read at a time, in turns. The clock's own time is a part of it. */
async function p99s(keys: readonly string[], all: readonly Get[]): Promise<number[]> {
  const tookMs = all.map(() => [] as number[]);
  for (let round = 0; round < rounds; round++) {
    for (const [i, get] of all.entries()) {
      for (let n = 0; n < single; n++) {
        const startedAt = performance.now();
        const found = get(keys[(round * single + n) % sample]!);
        if (found instanceof Promise) await found;
        tookMs[i]!.push(performance.now() - startedAt);
      }
    }
  }
  return tookMs.map(each => each.sort((a, b) => a - b)[Math.floor(each.length * 0.99)]! * 1_000);
}

interface Subjects {
  readonly keys: readonly string[];
  readonly get: Get;
  readonly lruGet: Get;
  readonly redisGet: (key: string) => Promise<unknown>;
}

/** A bench of gets over the same data here, in an LRU and in a Redis, which are there while it runs. */
function reads(
  below: number,
  options: Parameters<typeof products>[2],
  name: string,
  make: (subjects: Subjects) => Bench,
): Bench {
  return {
    name,
    async run() {
      await using place = await redisPlace();
      const redis = new Redis(place.url);
      const store = memoryStore();
      const ours: Precompute<string, Product> = products(store, entries, options);
      try {
        await ours.refresh();
        const lru = new LRUCache<string, Product>({ max: entries });
        for (let i = 0; i < entries; i++) lru.set(keyOf(i), product(i));
        const pipeline = redis.pipeline();
        for (let i = 0; i < below; i++) pipeline.set(keyOf(i), JSON.stringify(product(i)));
        await pipeline.exec();
        const keys = indexes(sample, below).map(keyOf);
        const get: Get = key => ours.get(key);
        const lruGet: Get = key => lru.get(key);
        const redisGet = async (key: string) => JSON.parse((await redis.get(key))!) as unknown;
        return await make({ keys, get, lruGet, redisGet }).run();
      } finally {
        redis.disconnect();
        await ours.close();
        await store.close();
      }
    },
  };
}

/** The median and the 99th percentile. */
function readsOf(name: string, below: number, options: Parameters<typeof products>[2]): Bench[] {
  const slowName = `${name}, 99th percentile`;
  return [
    reads(below, options, name, ({ keys, get, lruGet, redisGet }) =>
      timing(name, () => ({
        ours: ['get', gets(get, below)],
        peers: {
          'lru-cache get': gets(lruGet, below),
          'ioredis GET, JSON.parse': async times => {
            for (let i = 0; i < times; i++) await redisGet(keys[i % sample]!);
          },
        },
      })),
    ),
    reads(below, options, slowName, ({ keys, get, lruGet, redisGet }) =>
      figures(slowName, 'µs', async () => {
        const [own, lru, remote] = await p99s(keys, [get, lruGet, redisGet]);
        return { ours: ['get', own!], peers: { 'lru-cache get': lru!, 'ioredis GET, JSON.parse': remote! } };
      }),
    ),
  ];
}

/** As in a server that reads one key a request: no read shares its time with another. */
function readsAlone(name: string): Bench {
  return reads(entries, { snapshot: 'plain' }, name, ({ keys, get, lruGet }) => {
    const alone = (one: Get) => async (times: number) => {
      for (let i = 0; i < times; i++) await one(keys[i % sample]!);
    };
    return timing(name, () => ({ ours: ['get', alone(get)], peers: { 'lru-cache get': alone(lruGet) } }));
  });
}

export const readBenches: readonly Bench[] = [
  ...readsOf('get, plain snapshot', entries, { snapshot: 'plain' }),
  readsAlone('get, plain snapshot, an await after each'),
  ...readsOf('get, shared snapshot, any of 100 000 keys', entries, { snapshot: 'shared', hotKeys: 0 }),
  ...readsOf('get, shared snapshot, 1 000 hot keys', hotKeys, { snapshot: 'shared' }),
];
