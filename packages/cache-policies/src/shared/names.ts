import type { PagedList } from './paged-list.ts';
import { none } from './slot.ts';

/** Of the names asked for, how many were removed: an object is the slower one from the first on, a `Map` below the second. */
const churning = 0.12;
const calm = 0.05;

/**
 * Slots by string. V8 finds a property of an object twice as soon as an entry of a `Map`, and takes it away much later;
 * so it is an object while names mostly stay, and a `Map` while they come and go.
 */
export class Names {
  #object: Record<string, number> | undefined = Object.create(null);
  readonly #map = new Map<string, number>();
  /** The name last looked for in vain, which is mostly the next to be added. */
  #missed: string | undefined;
  #size = 0;
  #asked = 0;
  #removed = 0;

  get size(): number {
    return this.#size;
  }

  find(name: string): number {
    this.#asked++;
    const object = this.#object;
    const slot = object === undefined ? this.#map.get(name) : object[name];
    if (slot !== undefined) return slot;
    this.#missed = name;
    return none;
  }

  /** As `find`, and quicker when that was just asked in vain. */
  findAgain(name: string): number {
    return name === this.#missed ? none : this.find(name);
  }

  /** Adds a name that is not there; `keys`, by slot, are all that are there and it. */
  add(name: string, slot: number, keys: PagedList<unknown>): void {
    if (this.#removed > this.#size + 256) this.#choose(keys);
    if (this.#object === undefined) this.#map.set(name, slot);
    else this.#object[name] = slot;
    this.#missed = undefined;
    this.#size++;
  }

  remove(name: string): void {
    if (this.#object === undefined) this.#map.delete(name);
    else delete this.#object[name];
    this.#size--;
    this.#removed++;
  }

  #choose(keys: PagedList<unknown>): void {
    const churn = this.#removed / this.#asked;
    this.#asked = 0;
    this.#removed = 0;
    if (this.#object !== undefined ? churn <= churning : churn >= calm) return;
    const object: Record<string, number> = Object.create(null);
    this.#map.clear();
    for (let slot = 0; slot < keys.length; slot++) {
      const key = keys.get(slot);
      if (typeof key !== 'string') continue;
      if (this.#object === undefined) object[key] = slot;
      else this.#map.set(key, slot);
    }
    this.#object = this.#object === undefined ? object : undefined;
  }
}
