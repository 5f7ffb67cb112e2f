import type { Column, Links } from './column.ts';
import type { SlotStore } from './slot-store.ts';

/**
 * A list of slots: the newest at its head, the oldest at its tail. It is a ring through a sentinel slot, so that no end is a
 * special case: the head is after the sentinel, the tail before it.
 */
export class Queue {
  readonly sentinel: number;
  /** The number of its slots, and the sum of their weights. */
  size = 0;
  weight = 0;
  readonly #next: Column<Int32Array>;
  readonly #prev: Column<Int32Array>;
  readonly #weights: Column<Float64Array> | undefined;

  constructor(slots: SlotStore<unknown, unknown>, { next, prev }: Links, weights?: Column<Float64Array>) {
    this.sentinel = slots.sentinel();
    this.#next = next;
    this.#prev = prev;
    this.#weights = weights;
    this.clear();
  }

  clear(): void {
    this.#next.cells[this.sentinel] = this.sentinel;
    this.#prev.cells[this.sentinel] = this.sentinel;
    this.size = 0;
    this.weight = 0;
  }

  /** The oldest, or the sentinel. */
  get tail(): number {
    return this.#prev.cells[this.sentinel]!;
  }

  /** The newest, or the sentinel. */
  get head(): number {
    return this.#next.cells[this.sentinel]!;
  }

  /** The one pushed after it, or the sentinel. */
  newer(slot: number): number {
    return this.#prev.cells[slot]!;
  }

  /** The one pushed before it, or the sentinel. */
  older(slot: number): number {
    return this.#next.cells[slot]!;
  }

  push(slot: number): void {
    this.#link(slot, this.sentinel);
  }

  /** At the tail, as the oldest. */
  unshift(slot: number): void {
    this.#link(slot, this.tail);
  }

  /** Directly newer than `older`, which is on it or the sentinel. */
  pushAfter(slot: number, older: number): void {
    this.#link(slot, this.newer(older));
  }

  remove(slot: number): void {
    this.#unlink(slot);
    this.size--;
    this.weight -= this.weightOf(slot);
  }

  /** To the head, from anywhere on it. */
  refresh(slot: number): void {
    this.#unlink(slot);
    this.#join(slot, this.sentinel);
  }

  weightOf(slot: number): number {
    return this.#weights === undefined ? 1 : this.#weights.cells[slot]!;
  }

  /** Gives a slot that is on it another weight. */
  reweigh(slot: number, weight: number): void {
    this.weight += weight - this.weightOf(slot);
    this.#weights!.cells[slot] = weight;
  }

  #link(slot: number, after: number): void {
    this.#join(slot, after);
    this.size++;
    this.weight += this.weightOf(slot);
  }

  #join(slot: number, after: number): void {
    const next = this.#next.cells;
    const prev = this.#prev.cells;
    const before = next[after]!;
    next[after] = slot;
    prev[slot] = after;
    next[slot] = before;
    prev[before] = slot;
  }

  #unlink(slot: number): void {
    const next = this.#next.cells[slot]!;
    const prev = this.#prev.cells[slot]!;
    this.#next.cells[prev] = next;
    this.#prev.cells[next] = prev;
  }
}
