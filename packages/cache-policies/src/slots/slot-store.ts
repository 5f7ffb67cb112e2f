import { Column, type Links, none } from './column.ts';
import { KeyIndex } from './key-index.ts';
import { PagedList } from './paged-list.ts';

/**
 * Keys and values by slot: a small integer that names an entry while it is stored. A policy keeps its own facts of an entry
 * in columns beside it. An entry allocates nothing but its share of arrays, which grow as they fill.
 *
 * A ghost, a key remembered after its value has gone, is an entry whose value is `undefined`.
 */
export class SlotStore<K, V> {
  readonly #keys = new PagedList<K>();
  readonly #values = new PagedList<V>();
  readonly #columns: Column<Int32Array | Uint8Array | Float64Array>[] = [];
  /** The length of the columns, and of those that have grown already. Half of it exceeds the number of columns. */
  #length = 32;
  #grown = 32;
  /** The hash of the key, by slot: for integers and strings, and for all keys after `hashAll`. */
  readonly hashes: Column<Int32Array> = this.column(Int32Array);
  /** The free slot after this one, or the next in its chain of the index. */
  readonly #next = this.column(Int32Array);
  readonly #index = new KeyIndex<K>(this.#keys, { hashes: this.hashes, next: this.#next });
  #free = none;
  #sentinels = 0;

  constructor() {
    // No entry is in the slot `none`
    this.#take(undefined, undefined);
  }

  /** One more than the greatest slot so far. */
  get length(): number {
    return this.#keys.length;
  }

  /** Hashes keys of every kind. Call it before the first entry. */
  hashAll(): void {
    this.#index.hashAll();
  }

  column<A extends Int32Array | Uint8Array | Float64Array>(make: new (length: number) => A): Column<A> {
    const column = new Column(make, this.#length);
    this.#columns.push(column);
    return column;
  }

  links(): Links {
    return { next: this.column(Int32Array), prev: this.column(Int32Array) };
  }

  /** A slot that is no entry, for the ends of a list. Call it before the first entry. */
  sentinel(): number {
    this.#sentinels++;
    return this.#take(undefined, undefined);
  }

  /** Removes all but the sentinels. */
  clear(): void {
    this.#index.clear();
    this.#keys.truncate(1 + this.#sentinels);
    this.#values.truncate(1 + this.#sentinels);
    this.#free = none;
  }

  find(key: K): number {
    return this.#index.find(key);
  }

  /** As `find`, and faster right after a `find` of the same key that found nothing. */
  findAgain(key: K): number {
    return this.#index.findAgain(key);
  }

  key(slot: number): K {
    return this.#keys.get(slot) as K;
  }

  value(slot: number): V | undefined {
    return this.#values.get(slot);
  }

  setValue(slot: number, value: V | undefined): void {
    this.#values.set(slot, value);
  }

  /** Adds a key that is absent. */
  add(key: K, value: V | undefined): number {
    let slot = this.#free;
    if (slot === none) slot = this.#take(key, value);
    else {
      this.#free = this.#next.cells[slot]!;
      this.#keys.set(slot, key);
      this.#values.set(slot, value);
    }
    this.#index.add(key, slot);
    return slot;
  }

  remove(slot: number): void {
    this.#index.remove(this.#keys.get(slot) as K, slot);
    this.#keys.set(slot, undefined);
    this.#values.set(slot, undefined);
    this.#next.cells[slot] = this.#free;
    this.#free = slot;
  }

  #take(key: K | undefined, value: V | undefined): number {
    const slot = this.#keys.length;
    this.#keys.push(key);
    this.#values.push(value);
    if (slot >= this.#length - this.#columns.length) this.#grow(slot);
    return slot;
  }

  /** One column at a time, so that no operation waits for all of them; the last when the slots have run out. */
  #grow(slot: number): void {
    const column = this.#columns[this.#length - 1 - slot];
    if (this.#grown === this.#length) this.#grown = Math.ceil(this.#length * 1.5);
    column?.grow(this.#grown);
    if (slot === this.#length - 1) this.#length = this.#grown;
  }
}
