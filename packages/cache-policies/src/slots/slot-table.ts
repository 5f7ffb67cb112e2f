import { type Column, none } from './column.ts';
import type { PagedList } from './paged-list.ts';

/** The most slots with one home. The table refuses more, whether they collide by chance or by malice. */
const reach = 64;

/** The homes that move with each slot that is added while the table grows. */
const moves = 4;

/** By slot: the hash of its key, and the next slot with the same home. */
export interface Chains {
  readonly hashes: Column<Int32Array>;
  readonly next: Column<Int32Array>;
}

/**
 * Slots by hash: heads of chains, at the high bits of the hash. When there are more slots than heads, the heads double and
 * the slots move to them a few at a time, so that no operation takes long.
 */
export class SlotTable {
  readonly #hashes: Column<Int32Array>;
  readonly #next: Column<Int32Array>;
  #heads: Int32Array = new Int32Array(16);
  #shift = 28;
  #size = 0;
  /** The former heads, half as many, of slots that have not moved yet. */
  #old: Int32Array | undefined;
  #moved = 0;

  constructor({ hashes, next }: Chains) {
    this.#hashes = hashes;
    this.#next = next;
  }

  /** The slot with the hash, where no two slots have the same one. */
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

  /** The slot with the hash whose key in `keys` is that string. */
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

  /** Adds a slot whose hash is set. Returns false if it is refused. */
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

  /** Removes a slot, if present. */
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
