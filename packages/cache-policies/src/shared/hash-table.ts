/** As far as an entry may be from its home; a table that collides more, by chance or by malice, refuses. */
const reach = 64;

const fullest = 0.7;

/**
 * Slots by a hash of 32 bits that the caller keeps: pairs of hash and slot in one typed array, linear probing. The high
 * bits of the hash are the home, so that growing is one pass in order through the old and the new array, and no hash is
 * computed anew.
 */
export class HashTable {
  #cells: Int32Array;
  #shift: number;
  #mask: number;
  #size = 0;
  readonly #refuse: (slot: number) => void;

  /**
   * With room for 2 ** bits pairs. `refuse` hears of a slot that has no room in reach, when it is added or later: it is not
   * in the table.
   */
  constructor(refuse: (slot: number) => void, bits: number = 4) {
    this.#refuse = refuse;
    this.#cells = new Int32Array(2 << bits);
    this.#shift = 32 - bits;
    this.#mask = (1 << bits) - 1;
  }

  get size(): number {
    return this.#size;
  }

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

  add(hash: number, slot: number): void {
    if (this.#size >= (this.#mask + 1) * fullest) this.#grow();
    this.#size++;
    this.#put(hash, slot + 1);
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

  forEach(tell: (hash: number, slot: number) => void): void {
    const cells = this.#cells;
    for (let i = 0; i < cells.length; i += 2) {
      if (cells[i + 1] !== 0) tell(cells[i]!, cells[i + 1]! - 1);
    }
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

  #put(hash: number, stored: number): void {
    const cells = this.#cells;
    const mask = this.#mask;
    let place = hash >>> this.#shift;
    for (let left = reach; left > 0; left--) {
      if (cells[2 * place + 1] === 0) {
        cells[2 * place] = hash;
        cells[2 * place + 1] = stored;
        return;
      }
      place = (place + 1) & mask;
    }
    this.#size--;
    this.#refuse(stored - 1);
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
    for (let i = 0; i < old.length; i += 2) {
      if (old[i + 1] !== 0) this.#put(old[i]!, old[i + 1]!);
    }
  }
}
