import { none } from './slot.ts';

/**
 * Slots by string, in an object, as V8 keeps the hash of a string to itself and is twice as quick with properties as with
 * a `Map`.
 */
export class Names {
  readonly #slots: Record<string, number> = Object.create(null);
  /** The name last looked for in vain, which is mostly the next to be added. */
  #missed: string | undefined;
  size = 0;

  find(name: string): number {
    const slot = this.#slots[name];
    if (slot !== undefined) return slot;
    this.#missed = name;
    return none;
  }

  /** As `find`, and quicker when that was just asked in vain. */
  findAgain(name: string): number {
    return name === this.#missed ? none : this.find(name);
  }

  /** Adds a name that is not there. */
  add(name: string, slot: number): void {
    this.#missed = undefined;
    this.#slots[name] = slot;
    this.size++;
  }

  remove(name: string): void {
    delete this.#slots[name];
    this.size--;
  }
}
