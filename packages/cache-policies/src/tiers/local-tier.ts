import type { BoundedMap, Eviction } from '../bounded-map.ts';
import type { Slot } from './entry.ts';
import { TagLog } from './tag-log.ts';

export interface LocalTierOptions<K, V> {
  readonly max: number;
  readonly eviction: Eviction;
  readonly weigh: ((key: K, value: V) => number) | undefined;
  readonly onEvict: (key: K) => void;
  /** Whether the observer follows the key. */
  readonly follows: (id: unknown, key: K) => boolean;
}

const maxTags = 100_000;

/** The values in this process. It knows of tags, not of time. */
export class LocalTier<K, V> {
  readonly #map: BoundedMap<unknown, Slot<K, V>>;
  readonly #tags = new TagLog(maxTags);
  readonly #follows: (id: unknown, key: K) => boolean;
  #changes = 0;

  constructor({ max, eviction, weigh, onEvict, follows }: LocalTierOptions<K, V>) {
    this.#follows = follows;
    this.#map = eviction<unknown, Slot<K, V>>({
      max,
      ...(weigh && {
        weigh: (_id: unknown, { key, value }: Slot<K, V>) => (value === undefined ? 1 : weigh(key, value)),
      }),
      onEvict: (_id, { key }, reason) => {
        if (reason === 'capacity') onEvict(key);
      },
    });
  }

  get size(): number {
    return this.#map.size;
  }

  /** How many changes of tags there were: a slot is stamped with what it was when its value was asked for. */
  get changes(): number {
    return this.#changes;
  }

  get(id: unknown): Slot<K, V> | undefined {
    const slot = this.#map.get(id);
    return slot === undefined || this.#isValid(slot) ? slot : undefined;
  }

  peek(id: unknown): Slot<K, V> | undefined {
    const slot = this.#map.peek(id);
    return slot === undefined || this.#isValid(slot) ? slot : undefined;
  }

  /** The old value is gone also when the new one is refused, with what the map or `weigh` throws. */
  put(id: unknown, slot: Slot<K, V>): void {
    try {
      slot.isFollowed = this.#follows(id, slot.key);
      this.#map.set(id, slot);
    } catch (error) {
      this.#map.delete(id);
      throw error;
    }
  }

  delete(id: unknown): void {
    this.#map.delete(id);
  }

  clear(): void {
    this.#changes++;
    this.#map.clear();
    this.#tags.clear();
  }

  /** What has the tag is not found any more; it goes as others need its place. */
  invalidateTag(tag: string): void {
    this.#tags.invalidate(tag, ++this.#changes);
  }

  resize(max: number): void {
    this.#map.resize(max);
  }

  *values(): IterableIterator<Slot<K, V>> {
    for (const [, slot] of this.#map) if (this.#isValid(slot)) yield slot;
  }

  #isValid({ tags, stamp }: Slot<K, V>): boolean {
    return tags.length === 0 || this.#tags.unchanged(tags, stamp);
  }
}
