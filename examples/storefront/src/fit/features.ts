import { lruHitRatio, stackDistances } from './stack-distances.ts';

/** What the generator is fitted to, each a share from 0 to 1. */
export interface Features {
  /** Distinct keys over requests. */
  readonly distinct: number;
  /** Of the distinct keys, those requested once. */
  readonly oneTime: number;
  /** Of the requests, those for the most popular 1 % and 10 % of the keys. */
  readonly top1: number;
  readonly top10: number;
  /** The hit ratio of LRU caches. */
  readonly lru100: number;
  readonly lru300: number;
  readonly lru1200: number;
  readonly lru3000: number;
  readonly lru6000: number;
  /** The same of the first 10 000 requests, the opening. */
  readonly earlyDistinct: number;
  readonly earlyOneTime: number;
  readonly earlyTop1: number;
  readonly earlyLru300: number;
  readonly earlyLru1200: number;
  readonly earlyLru3000: number;
  /** Of the 100 most popular keys of 5 000 requests, those that still are in the next 5 000, and in the tenth after. */
  readonly overlapNext: number;
  readonly overlapTenth: number;
}

const early = 10_000;
const windowRequests = 5_000;
const windowTop = 100;
/** The windows begin after the opening of the traces, whose crawlers have no favorites. */
const firstWindow = 10_000;

export function featuresOf(keys: Int32Array): Features {
  const distances = stackDistances(keys);
  const lru = (size: number) => lruHitRatio(distances, size);
  const earlyLru = (size: number) => lruHitRatio(distances, size, early);
  const all = popularity(keys);
  const first = popularity(keys.subarray(0, early));
  return {
    ...all,
    lru100: lru(100),
    lru300: lru(300),
    lru1200: lru(1200),
    lru3000: lru(3000),
    lru6000: lru(6000),
    earlyDistinct: first.distinct,
    earlyOneTime: first.oneTime,
    earlyTop1: first.top1,
    earlyLru300: earlyLru(300),
    earlyLru1200: earlyLru(1200),
    earlyLru3000: earlyLru(3000),
    overlapNext: overlap(keys, 1),
    overlapTenth: overlap(keys, 10),
  };
}

function popularity(keys: Int32Array): Pick<Features, 'distinct' | 'oneTime' | 'top1' | 'top10'> {
  const counts = [...countsOf(keys).values()].sort((a, b) => b - a);
  const top = (share: number) => sum(counts.slice(0, Math.ceil(counts.length * share))) / keys.length;
  return {
    distinct: counts.length / keys.length,
    oneTime: counts.filter(count => count === 1).length / counts.length,
    top1: top(0.01),
    top10: top(0.1),
  };
}

/** The mean share of favorites that two windows have in common, `lag` windows apart. */
function overlap(keys: Int32Array, lag: number): number {
  const favorites: Set<number>[] = [];
  for (let from = firstWindow; from + windowRequests <= keys.length; from += windowRequests) {
    const counts = [...countsOf(keys.subarray(from, from + windowRequests))].sort((a, b) => b[1] - a[1]);
    favorites.push(new Set(counts.slice(0, windowTop).map(([key]) => key)));
  }
  const pairs = favorites.slice(lag).map((later, at) => [...later].filter(key => favorites[at]!.has(key)));
  return sum(pairs.map(common => common.length)) / pairs.length / windowTop;
}

function countsOf(keys: Int32Array): Map<number, number> {
  const counts = new Map<number, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
