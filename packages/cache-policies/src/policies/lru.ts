import { LRUCache } from 'lru-cache';
import type { Bound, BoundedMap } from '../bounded-map.ts';
import { checkBound, checkMax, checkValue, Departures, weightOf } from '../slots/bound.ts';

/**
 * Evicts the least recently used entry. It is `lru-cache`, which allocates its arrays for `max` entries at once unless there
 * is `weigh`, and is rebuilt when resized. Most caches are LRU. It is good where a key is used again soon; scans and loops
 * that are longer than the cache flush it.
 */
export function lru<K, V>(bound: Bound<K, V>): BoundedMap<K, V> {
  return new Lru(bound);
}

/** Stands for the key `undefined`, which `lru-cache` leaves out when it is listed. */
const undefinedKey = Symbol('undefined');

class Lru<K, V> implements BoundedMap<K, V> {
  readonly #weigh: ((key: K, value: V) => number) | undefined;
  readonly #departures: Departures<K, V> | undefined;
  #cache: LRUCache<K & {}, V & {}>;
  #max: number;

  constructor(bound: Bound<K, V>) {
    checkBound('lru', bound);
    const { max, weigh, onEvict } = bound;
    this.#max = max;
    this.#weigh = weigh;
    this.#departures = onEvict && new Departures(onEvict);
    this.#cache = this.#make();
  }

  get size(): number {
    return this.#cache.size;
  }

  get(key: K): V | undefined {
    return this.#cache.get(inner(key));
  }

  peek(key: K): V | undefined {
    return this.#cache.peek(inner(key));
  }

  has(key: K): boolean {
    return this.#cache.has(inner(key));
  }

  set(key: K, value: V): this {
    checkValue(key, value);
    const weight = weightOf(this.#weigh, key, value);
    if (this.#departures !== undefined || weight > this.#max) this.#replaced(key, weight);
    if (weight > this.#max) this.#departures?.add(key, value, 'capacity');
    else if (this.#weigh === undefined) this.#cache.set(inner(key), value as V & {});
    else this.#cache.set(inner(key), value as V & {}, { size: weight });
    this.#departures?.notify();
    return this;
  }

  delete(key: K): boolean {
    const value = this.peek(key);
    const deleted = this.#cache.delete(inner(key));
    if (deleted) this.#departures?.add(key, value as V, 'deleted');
    this.#departures?.notify();
    return deleted;
  }

  clear(): void {
    if (this.#departures !== undefined) {
      for (const [key, value] of this) this.#departures.add(key, value, 'deleted');
    }
    this.#cache = this.#make();
    this.#departures?.notify();
  }

  resize(max: number): void {
    this.#max = checkMax(max);
    while (this.#over()) this.#cache.pop();
    const entries = this.#cache.dump();
    this.#cache = this.#make();
    this.#cache.load(entries);
    this.#departures?.notify();
  }

  *[Symbol.iterator](): IterableIterator<[K, V]> {
    // Its own iterators lose their way when entries leave or are used meanwhile
    for (const key of [...this.#cache.keys()]) {
      const value = this.#cache.peek(key);
      if (value !== undefined) yield [outer<K>(key), value];
    }
  }

  #make(): LRUCache<K & {}, V & {}> {
    const departures = this.#departures;
    return new LRUCache<K & {}, V & {}>({
      ...(this.#weigh === undefined ? { max: this.#max } : { maxSize: this.#max }),
      ...(departures && {
        disposeAfter(value, key, reason) {
          // this map records the other reasons itself
          if (reason === 'evict') departures.add(outer<K>(key), value, 'capacity');
        },
      }),
    });
  }

  #over(): boolean {
    return (this.#weigh === undefined ? this.#cache.size : this.#cache.calculatedSize) > this.#max;
  }

  /** `lru-cache` disposes of neither a value that is replaced by itself, nor one that a too heavy value replaces. */
  #replaced(key: K, weight: number): void {
    const old = this.peek(key);
    if (old === undefined) return;
    this.#departures?.add(key, old, 'replaced');
    if (weight > this.#max) this.#cache.delete(inner(key));
  }
}

function inner<K>(key: K): K & {} {
  return (key === undefined ? undefinedKey : key) as K & {};
}

function outer<K>(key: K & {}): K {
  return ((key as unknown) === undefinedKey ? undefined : key) as K;
}
