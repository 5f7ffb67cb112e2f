import { type Column, none } from './column.ts';
import type { PagedList } from './paged-list.ts';

/** As many slots as may have one home: a table that collides more, by chance or by malice, refuses. */
const reach = 64;

/** How many homes move with each slot that is added while the table grows. */
const moves = 4;

/** What is known of each slot: the hash of its key, and the slot after it of those that have the same home. */
export interface Chains {
  readonly hashes: Column<Int32Array>;
  readonly next: Column<Int32Array>;
}

/**
 * Slots by hash: heads of chains, at the high bits of the hash. When there are more slots than heads there are twice as many
 * heads, and the slots move to them a few at a time, so that no operation waits for it.
 */
export class SlotTable {
  readonly #hashes: Column<Int32Array>;
  readonly #next: Column<Int32Array>;
  #heads: Int32Array = new Int32Array(16);
  #shift = 28;
  #size = 0;
  /** Half as many heads, of what has not moved yet. */
  #old: Int32Array | undefined;
  #moved = 0;

  constructor({ hashes, next }: Chains) {
    this.#hashes = hashes;
    this.#next = next;
  }

  /** The slot with the hash, where no two have the same one. */
  find(hash: number): number {
    const hashes = this.#hashes.cells;
    const next = this.#next.cells;
    let slot = this.#heads[hash >>> this.#shift]!;
    while (slot !== none && hashes[slot] !== hash) slot = next[slot]!;
    if (slot !== none || this.#old === undefined) return slot;
    slot = this.#old[hash >>> (this.#shift + 1)]!;
    while (slot !== none && hashes[slot] !== hash) slot = next[slot]!;
    return slot;
  }

  /** The slot with the hash that has that string among `keys`. */
  findString(hash: number, key: string, keys: PagedList<unknown>): number {
    const hashes = this.#hashes.cells;
    const next = this.#next.cells;
    let slot = this.#heads[hash >>> this.#shift]!;
    while (slot !== none && (hashes[slot] !== hash || keys.get(slot) !== key)) slot = next[slot]!;
    if (slot !== none || this.#old === undefined) return slot;
    slot = this.#old[hash >>> (this.#shift + 1)]!;
    while (slot !== none && (hashes[slot] !== hash || keys.get(slot) !== key)) slot = next[slot]!;
    return slot;
  }

  /** Adds a slot whose hash is known. False if it is refused. */
  add(slot: number): boolean {
    if (this.#old !== undefined) this.#move(this.#old);
    else if (this.#size === this.#heads.length) this.#grow();
    const next = this.#next.cells;
    const home = this.#hashes.cells[slot]! >>> this.#shift;
    const head = this.#heads[home]!;
    for (let at = head, left = reach; at !== none; at = next[at]!) if (--left === 0) return false;
    next[slot] = head;
    this.#heads[home] = slot;
    this.#size++;
    return true;
  }

  /** Nothing is done if it is not there. */
  remove(slot: number): void {
    const hash = this.#hashes.cells[slot]!;
    if (this.#unlink(this.#heads, hash >>> this.#shift, slot)) return;
    if (this.#old !== undefined) this.#unlink(this.#old, hash >>> (this.#shift + 1), slot);
  }

  #unlink(heads: Int32Array, home: number, slot: number): boolean {
    const next = this.#next.cells;
    let at = heads[home]!;
    if (at === slot) heads[home] = next[slot]!;
    else {
      while (at !== none && next[at] !== slot) at = next[at]!;
      if (at === none) return false;
      next[at] = next[slot]!;
    }
    this.#size--;
    return true;
  }

  #grow(): void {
    this.#old = this.#heads;
    this.#moved = 0;
    this.#heads = new Int32Array(2 * this.#heads.length);
    this.#shift--;
  }

  #move(old: Int32Array): void {
    const hashes = this.#hashes.cells;
    const next = this.#next.cells;
    for (const end = this.#moved + moves; this.#moved < end; this.#moved++) {
      for (let slot = old[this.#moved]!; slot !== none; ) {
        const after = next[slot]!;
        const home = hashes[slot]! >>> this.#shift;
        next[slot] = this.#heads[home]!;
        this.#heads[home] = slot;
        slot = after;
      }
      old[this.#moved] = none;
    }
    if (this.#moved === old.length) this.#old = undefined;
  }
}
