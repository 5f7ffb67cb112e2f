import { hashInteger } from './hash.ts';
import { HashTable } from './hash-table.ts';
import { Names } from './names.ts';
import { none } from './slot.ts';
import { StringTable } from './string-table.ts';

/** More names than this are hashed by us: an object of them would stop the world when it grows. */
const fewNames = 32_768;

/**
 * Slots by key, equal as a `Map`'s keys are. Each kind of key is where it is found soonest: integers in a hash table of
 * our own; strings in an object while they are few, later in a hash table too; other kinds, and what collides too much, in
 * a `Map`.
 */
export class KeyIndex<K> {
  readonly #keys: readonly (K | undefined)[];
  readonly #others = new Map<K, number>();
  #integers = new HashTable();
  #names: Names | undefined = new Names();
  #strings = new StringTable();

  /** `keys`, by slot, are those that are there, and that which is being added or removed. */
  constructor(keys: readonly (K | undefined)[]) {
    this.#keys = keys;
  }

  find(key: K): number {
    if (typeof key === 'string') {
      if (this.#names !== undefined) return this.#names.find(key);
      const slot = this.#strings.find(key, this.#keys);
      if (slot !== none) return slot;
    } else if (isInteger(key)) {
      const place = this.#integers.first(hashInteger(key));
      // Different integers have different hashes
      if (place >= 0) return this.#integers.slot(place);
    }
    return this.#others.size === 0 ? none : (this.#others.get(key) ?? none);
  }

  /** As `find`, and quicker when that was just asked in vain. */
  findAgain(key: K): number {
    return typeof key === 'string' && this.#names !== undefined ? this.#names.findAgain(key) : this.find(key);
  }

  /** Adds a key that is not there. */
  add(key: K, slot: number): void {
    if (typeof key === 'string' && this.#names !== undefined) {
      this.#names.add(key, slot);
      if (this.#names.size > fewNames) this.#hashNames();
    } else if (!this.#hashed(key, slot)) this.#others.set(key, slot);
  }

  remove(key: K, slot: number): void {
    if (typeof key === 'string' && this.#names !== undefined) this.#names.remove(key);
    else if (!this.#unhashed(key, slot)) this.#others.delete(key);
  }

  clear(): void {
    this.#others.clear();
    this.#integers = new HashTable();
    this.#names = new Names();
    this.#strings = new StringTable();
  }

  #hashed(key: K, slot: number): boolean {
    if (typeof key === 'string') return this.#strings.add(key, slot);
    return isInteger(key) && this.#integers.add(hashInteger(key), slot);
  }

  #unhashed(key: K, slot: number): boolean {
    if (typeof key === 'string') return this.#strings.remove(slot);
    return isInteger(key) && this.#integers.remove(hashInteger(key), slot);
  }

  #hashNames(): void {
    this.#names = undefined;
    this.#keys.forEach((key, slot) => {
      if (typeof key === 'string') this.add(key, slot);
    });
  }
}

/** Of 32 bits; 0 and -0 are one. */
function isInteger(key: unknown): key is number {
  return typeof key === 'number' && (key | 0) === key;
}
