import { hashString } from './hash.ts';
import { HashTable } from './hash-table.ts';
import { none } from './slot.ts';

/** Slots by string, in a hash table whose growth is hardly felt. */
export class StringTable {
  readonly #table = new HashTable();
  /** By slot, as hashing a string takes long. */
  #hashes = new Int32Array(8);
  /** The string last looked for in vain, which is mostly the next to be added. */
  #missed: string | undefined;
  #missedHash = 0;

  find(key: string, keys: readonly unknown[]): number {
    const hash = key === this.#missed ? this.#missedHash : hashString(key);
    const table = this.#table;
    for (let place = table.first(hash); place >= 0; place = table.next(hash, place)) {
      const slot = table.slot(place);
      if (keys[slot] === key) return slot;
    }
    this.#missed = key;
    this.#missedHash = hash;
    return none;
  }

  /** False if there is no room in reach: the caller keeps it elsewhere. */
  add(key: string, slot: number): boolean {
    const hash = key === this.#missed ? this.#missedHash : hashString(key);
    if (slot >= this.#hashes.length) this.#grow(slot);
    this.#hashes[slot] = hash;
    return this.#table.add(hash, slot);
  }

  /** False if it is not there. */
  remove(slot: number): boolean {
    return this.#table.remove(this.#hashes[slot]!, slot);
  }

  #grow(slot: number): void {
    const hashes = new Int32Array(Math.ceil((slot + 1) * 1.5));
    hashes.set(this.#hashes);
    this.#hashes = hashes;
  }
}
