import { none } from './column.ts';
import { hashString } from './hash.ts';
import type { PagedList } from './paged-list.ts';
import { type Chains, SlotTable } from './slot-table.ts';

/** An object with more names would block the event loop when it grows. */
const mostNames = 16_384;

/** How many slots move from the object to the table with each that is added. */
const step = 8;

/** Removals for each lookup: an object is slower above the first, a table below the second. */
const churning = 0.12;
const calm = 0.06;

/**
 * Slots by string. V8 finds a property of an object much faster than our own table hashes a string, and adds and removes one
 * much slower. So it is an object while strings are few and mostly stay, and a table otherwise.
 */
export class StringIndex {
  readonly #chains: Chains;
  readonly #keys: PagedList<unknown>;
  readonly #refuse: (slot: number) => void;
  #object: Record<string, number> | undefined = Object.create(null);
  #table: SlotTable;
  /** The last string that was not found, which is mostly the next to be added; and its hash, if there is no object. */
  #missed: string | undefined;
  #missedHash = 0;
  #size = 0;
  /** The next slot that moves from the object to the table, or `none`; meanwhile new slots go to the table. */
  #moving = none;
  #asked = 0;
  #removed = 0;

  /** `keys` are the keys by slot; `refuse` is called with a slot that the table does not take. */
  constructor(keys: PagedList<unknown>, chains: Chains, refuse: (slot: number) => void) {
    this.#chains = chains;
    this.#keys = keys;
    this.#refuse = refuse;
    this.#table = new SlotTable(chains);
  }

  find(key: string): number {
    this.#asked = (this.#asked + 1) | 0;
    const object = this.#object;
    if (object === undefined) return this.#search(key);
    const slot = object[key];
    if (slot !== undefined) return slot;
    if (this.#moving !== none) return this.#search(key);
    this.#missed = key;
    return none;
  }

  /** As `find`, and faster right after a `find` of the same key that found nothing. */
  findAgain(key: string): number {
    return key === this.#missed ? none : this.find(key);
  }

  /** Adds an absent key, which is the key of the slot already. */
  add(key: string, slot: number): void {
    const named = this.#object !== undefined && this.#moving === none;
    const known = !named && key === this.#missed;
    this.#chains.hashes.cells[slot] = known ? this.#missedHash : hashString(key);
    this.#missed = undefined;
    this.#size++;
    if (named) this.#object![key] = slot;
    else if (!this.#table.add(slot)) this.#refuse(slot);
    if (this.#moving !== none) this.#move(this.#object!);
    else if (named && this.#size > mostNames) this.#moving = none + 1;
    else if (this.#removed > this.#size + 256) this.#choose();
  }

  remove(key: string, slot: number): void {
    if (this.#object !== undefined) delete this.#object[key];
    if (this.#object === undefined || this.#moving !== none) this.#table.remove(slot);
    this.#size--;
    this.#removed++;
  }

  #search(key: string): number {
    const hash = hashString(key);
    const slot = this.#table.findString(hash, key, this.#keys);
    if (slot === none) {
      this.#missed = key;
      this.#missedHash = hash;
    }
    return slot;
  }

  #choose(): void {
    const churn = this.#removed / Math.max(1, this.#asked >>> 0);
    this.#asked = 0;
    this.#removed = 0;
    if (this.#object !== undefined) {
      if (churn > churning) this.#moving = none + 1;
    } else if (churn < calm && this.#size < mostNames / 2) this.#name();
  }

  #move(object: Record<string, number>): void {
    const end = Math.min(this.#moving + step, this.#keys.length);
    for (; this.#moving < end; this.#moving++) {
      const key = this.#keys.get(this.#moving);
      if (typeof key !== 'string' || object[key] !== this.#moving) continue;
      if (!this.#table.add(this.#moving)) this.#refuse(this.#moving);
    }
    if (this.#moving < this.#keys.length) return;
    this.#object = undefined;
    this.#moving = none;
  }

  #name(): void {
    const object: Record<string, number> = Object.create(null);
    for (let slot = none + 1; slot < this.#keys.length; slot++) {
      const key = this.#keys.get(slot);
      if (typeof key === 'string') object[key] = slot;
    }
    this.#object = object;
    this.#table = new SlotTable(this.#chains);
  }
}
