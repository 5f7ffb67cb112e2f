import { hashInteger } from './hash.ts';
import type { PagedList } from './paged-list.ts';
import { PartedTable } from './parted-table.ts';
import { none } from './slot.ts';
import { StringIndex } from './string-index.ts';

/**
 * Slots by key, equal as a `Map`'s keys are. Each kind of key is where it is found soonest: integers in a hash table of
 * our own, strings in an index of theirs, other kinds in a `Map`, and there too what collides too much.
 */
export class KeyIndex<K> {
  readonly #keys: PagedList<K>;
  readonly #others = new Map<K, number>();
  readonly #refuse = (slot: number): void => {
    this.#others.set(this.#keys.get(slot) as K, slot);
  };
  #integers = new PartedTable(this.#refuse);
  #strings: StringIndex;

  /** `keys`, by slot, are those that are there, and that which is being added or removed. */
  constructor(keys: PagedList<K>) {
    this.#keys = keys;
    this.#strings = new StringIndex(keys, this.#refuse);
  }

  find(key: K): number {
    if (typeof key === 'string') {
      const slot = this.#strings.find(key);
      if (slot !== none) return slot;
    } else if (isInteger(key)) {
      const hash = hashInteger(key);
      const table = this.#integers.part(hash);
      const place = table.first(hash);
      // Different integers have different hashes
      if (place >= 0) return table.slot(place);
    }
    return this.#others.size === 0 ? none : (this.#others.get(key) ?? none);
  }

  /** As `find`, and quicker when that was just asked in vain. */
  findAgain(key: K): number {
    if (typeof key !== 'string' || this.#others.size > 0) return this.find(key);
    return this.#strings.findAgain(key);
  }

  /** Adds a key that is not there. */
  add(key: K, slot: number): void {
    if (typeof key === 'string') this.#strings.add(key, slot);
    else if (isInteger(key)) this.#integers.add(hashInteger(key), slot);
    else this.#others.set(key, slot);
  }

  remove(key: K, slot: number): void {
    if (!this.#removed(key, slot)) this.#others.delete(key);
  }

  clear(): void {
    this.#others.clear();
    this.#integers = new PartedTable(this.#refuse);
    this.#strings = new StringIndex(this.#keys, this.#refuse);
  }

  #removed(key: K, slot: number): boolean {
    if (typeof key === 'string') return this.#strings.remove(key, slot);
    return isInteger(key) && this.#integers.remove(hashInteger(key), slot);
  }
}

/** Of 32 bits; 0 and -0 are one. */
function isInteger(key: unknown): key is number {
  return typeof key === 'number' && (key | 0) === key;
}
