import type { BoundedMap, Eviction } from '../bounded-map.ts';
import { weightOf } from '../slots/bound.ts';
import type { Entry } from './entry.ts';
import { TagLog } from './tag-log.ts';

export interface LocalTierOptions<K, V> {
  readonly max: number;
  readonly eviction: Eviction;
  readonly weigh?: ((key: K, value: V) => number) | undefined;
}

export interface LocalTierEvents<K> {
  evicted(key: K): void;
  /** Whether the observer follows the key. */
  isFollowed(id: unknown, key: K): boolean;
}

const maxTags = 100_000;

/** L1: the values in this process. It checks tags, not time. */
export class LocalTier<K, V> {
  readonly #map: BoundedMap<unknown, Entry<K, V>>;
  readonly #tags = new TagLog(maxTags);
  readonly #events: LocalTierEvents<K>;
  readonly #weigh: LocalTierOptions<K, V>['weigh'];
  #stamp = 0;
  #clearedAt = 0;

  constructor({ max, eviction, weigh }: LocalTierOptions<K, V>, events: LocalTierEvents<K>) {
    this.#events = events;
    this.#weigh = weigh;
    this.#map = eviction<unknown, Entry<K, V>>({
      max,
      ...(weigh && {
        weigh: (_id: unknown, { key, value }: Entry<K, V>) => (value === undefined ? 1 : weigh(key, value)),
      }),
      onEvict: (_id, { key }, reason) => {
        if (reason === 'capacity') events.evicted(key);
      },
    });
  }

  get size(): number {
    return this.#map.size;
  }

  /** The number of tag invalidations. An entry is stamped with it when its value is requested. */
  get stamp(): number {
    return this.#stamp;
  }

  get(id: unknown): Entry<K, V> | undefined {
    const entry = this.#map.get(id);
    return entry === undefined || this.#isValid(entry) ? entry : undefined;
  }

  peek(id: unknown): Entry<K, V> | undefined {
    const entry = this.#map.peek(id);
    return entry === undefined || this.#isValid(entry) ? entry : undefined;
  }

  /** Throws what `put` would throw, and changes nothing. */
  check(id: unknown, { key, value }: Entry<K, V>): void {
    this.#events.isFollowed(id, key);
    if (value !== undefined) weightOf(this.#weigh, key, value);
  }

  /** Throws what the map or `weigh` throws; the old value is gone then too. */
  put(id: unknown, entry: Entry<K, V>): void {
    try {
      entry.isFollowed = this.#events.isFollowed(id, entry.key);
      this.#map.set(id, entry);
    } catch (error) {
      this.#map.delete(id);
      throw error;
    }
  }

  delete(id: unknown): void {
    this.#map.delete(id);
  }

  clear(): void {
    this.#clearedAt = ++this.#stamp;
    this.#map.clear();
    this.#tags.clear();
  }

  /** Entries with the tag are not found any more; the policy evicts them in time. */
  invalidateTag(tag: string): void {
    this.#tags.invalidate(tag, ++this.#stamp);
  }

  /** Whether a value with these tags that was requested at `stamp` is still valid. */
  isUntouched(tags: readonly string[], stamp: number): boolean {
    return stamp >= this.#clearedAt && this.#tags.unchanged(tags, stamp);
  }

  resize(max: number): void {
    this.#map.resize(max);
  }

  #isValid({ tags, stamp }: Entry<K, V>): boolean {
    return tags.length === 0 || this.#tags.unchanged(tags, stamp);
  }
}
