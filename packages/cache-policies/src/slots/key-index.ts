import { none } from './column.ts';
import { hashInteger, isInteger } from './hash.ts';
import { KeyHash } from './key-hash.ts';
import type { PagedList } from './paged-list.ts';
import { type Chains, SlotTable } from './slot-table.ts';
import { StringIndex } from './string-index.ts';

/**
 * Slots by key, equal as a `Map`'s keys are. Each kind of key is where it is found soonest: integers in a hash table of
 * our own, strings in an index of theirs, other kinds in a `Map`, and there too what collides too much.
 */
export class KeyIndex<K> {
  readonly #keys: PagedList<unknown>;
  readonly #chains: Chains;
  readonly #others = new Map<K, number>();
  readonly #refuse = (slot: number): void => {
    this.#others.set(this.#keys.get(slot) as K, slot);
  };
  #integers: SlotTable;
  #strings: StringIndex;
  #hash: KeyHash | undefined;

  /** `keys`, by slot, are those that are there, and that which is being added or removed. */
  constructor(keys: PagedList<unknown>, chains: Chains) {
    this.#keys = keys;
    this.#chains = chains;
    this.#integers = new SlotTable(chains);
    this.#strings = new StringIndex(keys, chains, this.#refuse);
  }

  /** From now on the hashes of all kinds of keys are known, not only of integers and strings. */
  hashAll(): void {
    this.#hash ??= new KeyHash(0);
  }

  find(key: K): number {
    let slot = none;
    if (typeof key === 'string') slot = this.#strings.find(key);
    // Different integers have different hashes
    else if (isInteger(key)) slot = this.#integers.find(hashInteger(key));
    return slot !== none || this.#others.size === 0 ? slot : (this.#others.get(key) ?? none);
  }

  /** As `find`, and quicker when that was just asked in vain. */
  findAgain(key: K): number {
    if (typeof key !== 'string' || this.#others.size > 0) return this.find(key);
    return this.#strings.findAgain(key);
  }

  /** Adds a key that is not there; it is the key of the slot already. */
  add(key: K, slot: number): void {
    if (typeof key === 'string') this.#strings.add(key, slot);
    else if (isInteger(key)) {
      this.#chains.hashes.cells[slot] = hashInteger(key);
      if (!this.#integers.add(slot)) this.#refuse(slot);
    } else {
      if (this.#hash !== undefined) this.#chains.hashes.cells[slot] = this.#hash.of(key);
      this.#others.set(key, slot);
    }
  }

  remove(key: K, slot: number): void {
    if (typeof key === 'string') this.#strings.remove(key, slot);
    else if (isInteger(key)) this.#integers.remove(slot);
    if (this.#others.size > 0) this.#others.delete(key);
  }

  clear(): void {
    this.#others.clear();
    this.#integers = new SlotTable(this.#chains);
    this.#strings = new StringIndex(this.#keys, this.#chains, this.#refuse);
  }
}
