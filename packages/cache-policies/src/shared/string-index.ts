import { Names } from './names.ts';
import type { PagedList } from './paged-list.ts';
import { none } from './slot.ts';
import { StringTable } from './string-table.ts';

/** An object or a `Map` of more names would stop the world when it grows; they move to a table of our own. */
const fewNames = 32_768;

/** How many move each time one is added. */
const step = 8;

/** Slots by string: found by means of V8 while they are few, later by hashes of our own, which takes longer. */
export class StringIndex {
  readonly #keys: PagedList<unknown>;
  readonly #table: StringTable;
  #names: Names | undefined = new Names();
  /** Names in slots before this one have moved; none move if it is `none`. */
  #moved = none;

  /** `keys`, by slot, are those that are there, and that which is being added or removed; `refuse` as for a `HashTable`. */
  constructor(keys: PagedList<unknown>, refuse: (slot: number) => void) {
    this.#keys = keys;
    this.#table = new StringTable(refuse);
  }

  find(key: string): number {
    if (this.#names !== undefined) {
      const slot = this.#names.find(key);
      if (slot !== none || this.#moved === none) return slot;
    }
    return this.#table.find(key, this.#keys);
  }

  /** As `find`, and quicker when that was just asked in vain. */
  findAgain(key: string): number {
    return this.#names === undefined || this.#moved !== none ? this.find(key) : this.#names.findAgain(key);
  }

  /** Adds a key that is not there. */
  add(key: string, slot: number): void {
    if (this.#names === undefined) {
      this.#table.add(key, slot);
    } else if (this.#moved === none) {
      this.#names.add(key, slot, this.#keys);
      if (this.#names.size > fewNames) this.#moved = 0;
    } else {
      this.#table.add(key, slot);
      this.#move(this.#names);
    }
  }

  /** False if it is not there. */
  remove(key: string, slot: number): boolean {
    const names = this.#names;
    if (names === undefined || (this.#moved !== none && names.find(key) === none)) {
      return this.#table.remove(slot);
    }
    names.remove(key);
    return true;
  }

  #move(names: Names): void {
    const end = Math.min(this.#moved + step, this.#keys.length);
    for (; this.#moved < end; this.#moved++) {
      const key = this.#keys.get(this.#moved);
      if (typeof key !== 'string' || names.find(key) === none) continue;
      names.remove(key);
      this.#table.add(key, this.#moved);
    }
    if (this.#moved === this.#keys.length || names.size === 0) this.#names = undefined;
  }
}
