import {
  defaultTo,
  integer,
  listOf,
  number,
  type Random,
  type Rule,
  type RulesFor,
  random,
  readOptions,
  refused,
  required,
  text,
} from '@ashlar/core';
import type { BoundedMap, Eviction } from '../bounded-map.ts';
import { channels } from '../diagnostics.ts';
import { MissRatioCurve } from '../sampling/miss-ratio-curve.ts';
import { SpatialSample, shadowSize } from '../sampling/spatial-sample.ts';
import { evictionRule } from '../slots/bound.ts';
import { KeyHash } from '../slots/key-hash.ts';
import type { AccessObserver, HitCount } from './access-observer.ts';
import { ask, Miniature } from './miniature.ts';
import { thrashState } from './thrash.ts';

export interface CacheAdvisorOptions {
  /** The name of the cache in diagnostics messages and snapshots. Default: `cache`. */
  readonly name?: string;
  /** The `max` of the cache that it watches, in entries. */
  readonly max: number;
  /** The eviction policy of that cache. */
  readonly eviction: Eviction;
  /** The sizes to estimate, as multiples of `max`. Default: 0.5, 2 and 10. */
  readonly factors?: readonly number[];
  /** Other policies to estimate, by name. Default: none. */
  readonly others?: Readonly<Record<string, Eviction>>;
  /** After so many requests all counts are halved and the cache is checked for thrashing. Default: `10 * max`. */
  readonly windowRequests?: number;
  /** Seeds the choice of the sample; called once. Default: `Math.random`. */
  readonly random?: Random;
}

export interface CacheAdvice {
  /** The cache's own hit ratio, measured, 0 to 1; NaN before the first request. */
  readonly hitRatio: number;
  /** The hit ratio at other sizes, with the same policy. */
  readonly sizes: readonly { readonly max: number; readonly hitRatio: number }[];
  /** The hit ratio of other policies, at the same size, by name. */
  readonly policies: Readonly<Record<string, number>>;
  /** Whether the cache misses evicted keys more often than it hits. */
  readonly thrashing: boolean;
  /** Misses of evicted keys, for each hit. */
  readonly ghostsPerHit: number;
  /** The size at which the cache stops thrashing; `max` when it does not thrash. */
  readonly neededMax: number;
}

/** The fewest entries of a miniature of a larger cache. */
const leastShadow = 100;
/** A larger cache gets a miniature of the same size as one of this size. */
const largest = 300_000;
/** The most keys that the curve follows. */
const samples = 4_096;
/** Requests are replayed in batches: in a batch, each takes a fraction of the time. */
const mostWaiting = 256;

const othersRule: Rule<Readonly<Record<string, Eviction>>> = (value, option) => {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refused(option, 'an object of eviction policies', value, 'write `others: { sieve }`');
  }
  for (const [name, other] of Object.entries(value)) required(evictionRule)(other, `${option}.${name}`);
  return value as Readonly<Record<string, Eviction>>;
};

const rules = {
  name: text('cache'),
  max: required(integer(undefined, { min: 1 }), 'the `max` of the cache that it watches'),
  eviction: required(evictionRule, 'the `eviction` of the cache that it watches'),
  factors: defaultTo<readonly number[]>(
    [0.5, 2, 10],
    listOf(required(number(undefined, { above: 0, max: 1e6 }))),
  ),
  others: othersRule,
  windowRequests: integer(undefined, { min: 1 }),
  random: random(),
} satisfies RulesFor<CacheAdvisorOptions>;

/**
 * Watches the hits and misses of any cache, and estimates the hit ratio at other sizes and with other policies, and whether
 * the cache is too small. It replays a sample of the keys in miniatures of the cache, scaled down as the sample is
 * (Waldspurger, Saemundsson, Ahmad, Park, USENIX ATC 2017), and corrects them by the cache's own hit ratio. It keeps hashes,
 * not keys, and follows the same keys for as long as it lives.
 */
export class CacheAdvisor implements AccessObserver<unknown> {
  readonly #name: string;
  readonly #max: number;
  readonly #hash: KeyHash;
  readonly #sample: SpatialSample;
  readonly #curve: MissRatioCurve;
  /** The miniature of the cache itself. */
  readonly #own: BoundedMap<number, true>;
  readonly #sizes: readonly { readonly max: number; readonly miniature: Miniature }[];
  readonly #others: ReadonlyMap<string, Miniature>;
  readonly #window: number;
  /**
   * A caller that keeps the result of `follows` beside each value adds the hits of keys that are not followed here, which
   * costs almost nothing, and calls `hit` for the others only. The advisor sets it back to 0 whenever it reads it.
   */
  readonly unfollowed: HitCount = { hits: 0 };
  /** Requests of this window, and what is left of those before. */
  #since = 0;
  #requestsBefore = 0;
  #hits = 0;
  /** Requests to the sample that are not replayed yet, and how many of the window's requests are. */
  readonly #hashes = new Int32Array(mostWaiting);
  readonly #answered = new Uint8Array(mostWaiting);
  #waiting = 0;
  #replayed = 0;
  #thrashing = false;

  /** @throws InvalidOptionError */
  constructor(options: CacheAdvisorOptions) {
    const settings = readOptions('CacheAdvisor', options, rules);
    const { name, max, eviction, factors, others, random, windowRequests = 10 * max } = settings;
    this.#name = name;
    this.#max = max;
    this.#window = windowRequests;
    const size = shadowSize(Math.min(this.#max, largest), leastShadow);
    this.#hash = new KeyHash(Math.floor(random() * 2 ** 32));
    this.#sample = new SpatialSample(size / this.#max);
    const { share } = this.#sample;
    this.#curve = new MissRatioCurve({ samples, share });
    this.#own = eviction<number, true>({ max: size });
    const small = (of: Eviction, entries: number) => new Miniature(of, entries, share);
    this.#sizes = factors.map(factor => {
      const max = Math.max(1, Math.round(factor * this.#max));
      return { max, miniature: small(eviction, max) };
    });
    this.#others = new Map(Object.entries(others).map(([name, other]) => [name, small(other, this.#max)]));
  }

  /** Whether the key is in the sample: always the same for a key. */
  follows(key: unknown): boolean {
    return this.#sample.has(this.#hash.of(key));
  }

  /** The cache had the key. For keys that are not followed it is enough to count the hit in `unfollowed`. */
  hit(key: unknown): void {
    this.#hits++;
    this.#request(key);
  }

  /** The cache did not have the key, and stores it now if its policy admits it. */
  miss(key: unknown): void {
    this.#request(key);
  }

  /** What it knows now. It may be called at any time. */
  estimate(): CacheAdvice {
    this.#replay();
    const hitRatio = this.#hitRatio;
    const state = thrashState(this.#curve, hitRatio, this.#max, this.#thrashing);
    return {
      ...state,
      hitRatio,
      sizes: this.#sizes.map(({ max, miniature }) => ({ max, hitRatio: this.#corrected(miniature) })),
      policies: Object.fromEntries([...this.#others].map(([name, other]) => [name, this.#corrected(other)])),
    };
  }

  /** Makes it the `observer` of a `Cache`. */
  accessed(id: unknown, _key: unknown, hit: boolean): void {
    if (hit) this.hit(id);
    else this.miss(id);
  }

  /** The estimate as a JSON-safe object. */
  snapshot(): CacheAdvice & { readonly name: string; readonly max: number } {
    return { name: this.#name, max: this.#max, ...this.estimate() };
  }

  get #hitRatio(): number {
    return this.#hits / (this.#requestsBefore + this.#since);
  }

  #request(key: unknown): void {
    this.#since++;
    const hash = this.#hash.of(key);
    if (this.#sample.has(hash)) {
      this.#hashes[this.#waiting++] = hash;
      if (this.#waiting === mostWaiting) this.#replay();
    }
    if (this.#since + this.unfollowed.hits >= this.#window) this.#endWindow();
  }

  #replay(): void {
    this.#hits += this.unfollowed.hits;
    this.#since += this.unfollowed.hits;
    this.unfollowed.hits = 0;
    const hashes = this.#hashes;
    const count = this.#waiting;
    this.#curve.skip(this.#since - this.#replayed - count);
    for (let i = 0; i < count; i++) this.#curve.request(hashes[i]!);
    const answered = this.#answered;
    for (let i = 0; i < count; i++) answered[i] = ask(this.#own, hashes[i]!);
    for (const miniature of this.#miniatures()) miniature.request(hashes, answered, count);
    this.#replayed = this.#since;
    this.#waiting = 0;
  }

  *#miniatures(): IterableIterator<Miniature> {
    for (const { miniature } of this.#sizes) yield miniature;
    yield* this.#others.values();
  }

  /** The keys of the sample are more or less popular than all keys are. The cache's own ratio shows by how much. */
  #corrected(miniature: Miniature): number {
    return Math.min(1, Math.max(0, this.#hitRatio + miniature.gain));
  }

  #endWindow(): void {
    this.#replay();
    const hitRatio = this.#hitRatio;
    const { thrashing, ghostsPerHit, neededMax } = thrashState(
      this.#curve,
      hitRatio,
      this.#max,
      this.#thrashing,
    );
    if (thrashing !== this.#thrashing && channels.thrash.hasSubscribers) {
      const cache = this.#name;
      channels.thrash.publish({ cache, max: this.#max, thrashing, hitRatio, ghostsPerHit, neededMax });
    }
    this.#thrashing = thrashing;
    this.#requestsBefore = (this.#requestsBefore + this.#since) / 2;
    this.#since = this.#replayed = 0;
    this.#hits /= 2;
    this.#curve.fade(0.5);
    for (const miniature of this.#miniatures()) miniature.fade(0.5);
  }
}
