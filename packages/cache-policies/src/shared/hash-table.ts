/** As far as an entry may be from its home; a table that collides more, by chance or by malice, refuses. */
const reach = 64;

const fullest = 0.7;

/**
 * Slots by a hash of 32 bits that the caller keeps: pairs of hash and slot in one typed array, linear probing. The high
 * bits of the hash are the home, so that growing is one pass in order through the old and the new array, some thirty times
 * quicker than what a `Map` does, and no hash is computed anew.
 */
export class HashTable {
  #cells = new Int32Array(2 << 4);
  #shift = 32 - 4;
  #mask = (1 << 4) - 1;
  #size = 0;

  /** The place of the first slot stored with the hash, or a negative number. */
  first(hash: number): number {
    return this.#probe(hash, hash >>> this.#shift, reach);
  }

  /** The place of the one after. */
  next(hash: number, place: number): number {
    const gone = (place - (hash >>> this.#shift)) & this.#mask;
    return this.#probe(hash, (place + 1) & this.#mask, reach - gone - 1);
  }

  slot(place: number): number {
    return this.#cells[2 * place + 1]! - 1;
  }

  /** False if there is no room in reach: the caller keeps it elsewhere. */
  add(hash: number, slot: number): boolean {
    if (this.#size >= (this.#mask + 1) * fullest) this.#grow();
    if (!this.#put(hash, slot + 1)) return false;
    this.#size++;
    return true;
  }

  /** False if it is not there. */
  remove(hash: number, slot: number): boolean {
    for (let place = this.first(hash); place >= 0; place = this.next(hash, place)) {
      if (this.slot(place) !== slot) continue;
      this.#close(place);
      this.#size--;
      return true;
    }
    return false;
  }

  #probe(hash: number, from: number, steps: number): number {
    const cells = this.#cells;
    const mask = this.#mask;
    for (let place = from, left = steps; left > 0; left--) {
      if (cells[2 * place + 1] === 0) return -1;
      if (cells[2 * place] === hash) return place;
      place = (place + 1) & mask;
    }
    return -1;
  }

  #put(hash: number, stored: number): boolean {
    const cells = this.#cells;
    const mask = this.#mask;
    let place = hash >>> this.#shift;
    for (let left = reach; left > 0; left--) {
      if (cells[2 * place + 1] === 0) {
        cells[2 * place] = hash;
        cells[2 * place + 1] = stored;
        return true;
      }
      place = (place + 1) & mask;
    }
    return false;
  }

  /** Moves what comes after back over the gap, so that no probe ends at it. */
  #close(gap: number): void {
    const cells = this.#cells;
    const mask = this.#mask;
    let place = gap;
    let at = gap;
    for (;;) {
      at = (at + 1) & mask;
      if (cells[2 * at + 1] === 0) break;
      const home = cells[2 * at]! >>> this.#shift;
      if (((at - home) & mask) < ((at - place) & mask)) continue;
      cells[2 * place] = cells[2 * at]!;
      cells[2 * place + 1] = cells[2 * at + 1]!;
      place = at;
    }
    cells[2 * place + 1] = 0;
  }

  #grow(): void {
    const old = this.#cells;
    this.#cells = new Int32Array(2 * old.length);
    this.#shift--;
    this.#mask = 2 * this.#mask + 1;
    // From a gap on, so that each comes after those it was displaced by: then none is farther from home than before
    let gap = 0;
    while (old[2 * gap + 1] !== 0) gap++;
    const mask = (old.length >> 1) - 1;
    for (let i = 1; i <= mask; i++) {
      const place = (gap + i) & mask;
      if (old[2 * place + 1] !== 0) this.#put(old[2 * place]!, old[2 * place + 1]!);
    }
  }
}
