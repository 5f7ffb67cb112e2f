import { lru, s3fifo, sieve, wTinyLfu } from '@ashlar/cache-policies';
import { SieveCache } from '@neophi/sieve-cache';
import flru from 'flru';
import { createLRU } from 'lru.min';
import { LRUCache } from 'lru-cache';
import { LRUMap as MnemonistMap, LRUCache as MnemonistObject } from 'mnemonist';
import QuickLRU from 'quick-lru';
import { LRU as TinyLRU } from 'tiny-lru';
import { FifoMap, FifoObject, LruMap, LruObject } from 'toad-cache';
import { newCache } from 'transitory';

// Its types say that the function is a property, but it is the module
const makeFlru = flru as unknown as typeof flru.default;

export type Key = string | number;

export interface Subject {
  get(key: Key): unknown;
  set(key: Key, value: number): unknown;
}

export type Make = (max: number) => Subject;

/** Those of this package whose speed has a target; what the others take is near to one of them. */
export const ours: Readonly<Record<string, Make>> = {
  sieve(max) {
    const map = sieve<Key, number>({ max });
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  s3fifo(max) {
    const map = s3fifo<Key, number>({ max });
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  wTinyLfu(max) {
    const map = wTinyLfu<Key, number>({ max });
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  lru(max) {
    const map = lru<Key, number>({ max });
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
};

/** Each is wrapped by code of its own, so that none pays for the shapes of the others. */
export const peers: Readonly<Record<string, Make>> = {
  'lru-cache'(max) {
    const map = new LRUCache<Key, number>({ max });
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  'mnemonist LRUCache (object)'(max) {
    const map = new MnemonistObject<Key, number>(max);
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  'mnemonist LRUMap'(max) {
    const map = new MnemonistMap<Key, number>(max);
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  // These two hold up to twice their limit
  'quick-lru at half'(max) {
    const map = new QuickLRU<Key, number>({ maxSize: max / 2 });
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  'flru at half'(max) {
    const map = makeFlru<number>(max / 2);
    return { get: key => map.get(key as string), set: (key, value) => map.set(key as string, value) };
  },
  'tiny-lru'(max) {
    const map = new TinyLRU<number>(max);
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  'lru.min'(max) {
    const map = createLRU<Key, number>({ max });
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  'toad-cache FifoMap'(max) {
    const map = new FifoMap<number>(max);
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  'toad-cache FifoObject'(max) {
    const map = new FifoObject<number>(max);
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  'toad-cache LruMap'(max) {
    const map = new LruMap<number>(max);
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  'toad-cache LruObject'(max) {
    const map = new LruObject<number>(max);
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  '@neophi/sieve-cache'(max) {
    const map = new SieveCache<Key, number>(max);
    return { get: key => map.get(key), set: (key, value) => map.set(key, value) };
  },
  transitory(max) {
    const map = newCache<Key, number>().maxSize(max).build();
    return { get: key => map.getIfPresent(key) ?? undefined, set: (key, value) => map.set(key, value) };
  },
};
