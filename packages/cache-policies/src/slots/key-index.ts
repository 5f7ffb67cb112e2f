import { none } from './column.ts';
import { hashInteger, isInteger } from './hash.ts';
import { KeyHash } from './key-hash.ts';
import type { PagedList } from './paged-list.ts';
import { type Chains, SlotTable } from './slot-table.ts';
import { StringIndex } from './string-index.ts';

/**
 * Slots by key; keys are equal as in a `Map`. Each kind of key has the fastest index for it: integers a hash table of our
 * own, strings a `StringIndex`, all other kinds a `Map`, which also takes keys that collide too much.
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

  /** `keys` are the present keys by slot, and the one that is being added or removed. */
  constructor(keys: PagedList<unknown>, chains: Chains) {
    this.#keys = keys;
    this.#chains = chains;
    this.#integers = new SlotTable(chains);
    this.#strings = new StringIndex(keys, chains, this.#refuse);
  }

  /** From now on keys of every kind are hashed, not only integers and strings. */
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

  /** As `find`, and faster right after a `find` of the same key that found nothing. */
  findAgain(key: K): number {
    if (typeof key !== 'string' || this.#others.size > 0) return this.find(key);
    return this.#strings.findAgain(key);
  }

  /** Adds an absent key, which is the key of the slot already. */
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
