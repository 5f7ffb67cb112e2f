import { hashString } from './hash.ts';
import type { PagedList } from './paged-list.ts';
import { PartedTable } from './parted-table.ts';
import { none } from './slot.ts';

/** Slots by string, in a hash table whose growth is hardly felt. */
export class StringTable {
  readonly #table: PartedTable;
  /** By slot, as hashing a string takes long. */
  #hashes = new Int32Array(8);
  /** The string last looked for in vain, which is mostly the next to be added. */
  #missed: string | undefined;
  #missedHash = 0;

  /** `refuse` as for a `HashTable`. */
  constructor(refuse: (slot: number) => void) {
    this.#table = new PartedTable(refuse);
  }

  find(key: string, keys: PagedList<unknown>): number {
    const hash = key === this.#missed ? this.#missedHash : hashString(key);
    const table = this.#table.part(hash);
    for (let place = table.first(hash); place >= 0; place = table.next(hash, place)) {
      const slot = table.slot(place);
      if (keys.get(slot) === key) return slot;
    }
    this.#missed = key;
    this.#missedHash = hash;
    return none;
  }

  add(key: string, slot: number): void {
    const hash = key === this.#missed ? this.#missedHash : hashString(key);
    if (slot >= this.#hashes.length) this.#grow(slot);
    this.#hashes[slot] = hash;
    this.#table.add(hash, slot);
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
