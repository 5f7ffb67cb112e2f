import { Column, type Links } from './column.ts';
import { KeyIndex } from './key-index.ts';

export { none } from './slot.ts';

/**
 * Keys and values by slot, a small integer that is an entry's name for as long as it is there; what a policy knows of an
 * entry is in columns beside it. Nothing is allocated for an entry but its share of arrays, which grow as they fill.
 *
 * A ghost, a key remembered after its value has gone, is an entry whose value is `undefined`.
 */
export class Entries<K, V> {
  readonly #keys: (K | undefined)[] = [];
  readonly #index = new KeyIndex<K>(this.#keys);
  readonly #values: (V | undefined)[] = [];
  readonly #columns: Column<Int32Array | Uint8Array | Float64Array>[] = [];
  #freed: number[] = [];
  #sentinels = 0;
  #length = 8;

  /** One more than the greatest slot there has been. */
  get slots(): number {
    return this.#keys.length;
  }

  column<A extends Int32Array | Uint8Array | Float64Array>(make: new (length: number) => A): Column<A> {
    const column = new Column(make, this.#length);
    this.#columns.push(column);
    return column;
  }

  links(): Links {
    return { next: this.column(Int32Array), prev: this.column(Int32Array) };
  }

  /** A slot that is no entry, for the ends of a list; taken before the first entry. */
  sentinel(): number {
    this.#sentinels++;
    return this.#take();
  }

  /** Removes all but the sentinels. */
  clear(): void {
    this.#index.clear();
    this.#keys.length = this.#sentinels;
    this.#values.length = this.#sentinels;
    this.#freed = [];
  }

  find(key: K): number {
    return this.#index.find(key);
  }

  /** As `find`, and quicker when that was just asked in vain. */
  findAgain(key: K): number {
    return this.#index.findAgain(key);
  }

  key(slot: number): K {
    return this.#keys[slot] as K;
  }

  value(slot: number): V | undefined {
    return this.#values[slot];
  }

  setValue(slot: number, value: V | undefined): void {
    this.#values[slot] = value;
  }

  /** Adds a key that is not there. */
  add(key: K, value: V | undefined): number {
    const slot = this.#freed.pop() ?? this.#take();
    this.#keys[slot] = key;
    this.#values[slot] = value;
    this.#index.add(key, slot);
    return slot;
  }

  remove(slot: number): void {
    this.#index.remove(this.#keys[slot] as K, slot);
    this.#keys[slot] = undefined;
    this.#values[slot] = undefined;
    this.#freed.push(slot);
  }

  #take(): number {
    const slot = this.#keys.length;
    this.#keys.push(undefined);
    this.#values.push(undefined);
    if (slot === this.#length) {
      this.#length = Math.ceil(slot * 1.5);
      for (const column of this.#columns) column.grow(this.#length);
    }
    return slot;
  }
}
