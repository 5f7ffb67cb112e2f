/** Words of 32 bits, of 8 counters each, in the block that a key's four counters are in: 64 bytes, a line of the processor's cache. */
const blockWords = 16;
const rowWords = 4;
const smallestEntries = 64;
const samplePerEntry = 10;

/**
 * The recent frequency of keys, by their hashes: a count-min sketch of four rows of 4-bit counters; the four of a key are in
 * one block (Caffeine's `FrequencySketch`). Estimates are sometimes too high, never too low, and at most 15. After ten
 * additions for each entry all are halved, so that former popularity is forgotten. Eight bytes an entry.
 */
export class FrequencySketch {
  #table: Int32Array = new Int32Array((smallestEntries / 8) * blockWords);
  #blockMask = smallestEntries / 8 - 1;
  #sampleSize: number = samplePerEntry * smallestEntries;
  #additions = 0;

  /** Additions since the last halving, and half of those before. */
  get additions(): number {
    return this.#additions;
  }

  /** Grows it for that many entries. Counts are kept: each block is copied to both blocks that its hashes may map to then. */
  ensureCapacity(entries: number): void {
    if (samplePerEntry * entries > this.#sampleSize) this.#sampleSize = samplePerEntry * entries;
    while (this.#table.length < 2 * entries) {
      const table = new Int32Array(2 * this.#table.length);
      table.set(this.#table);
      table.set(this.#table, this.#table.length);
      this.#table = table;
      this.#blockMask = 2 * this.#blockMask + 1;
    }
  }

  record(hash: number): void {
    const table = this.#table;
    const block = (hash & this.#blockMask) * blockWords;
    const counters = this.#counters(hash);
    let added = 0;
    for (let row = 0; row < 4; row++) {
      const counter = counters >>> (row * 8);
      const word = block + row * rowWords + ((counter >>> 3) & 3);
      const shift = (counter & 7) << 2;
      const value = table[word]!;
      if (((value >>> shift) & 15) === 15) continue;
      table[word] = value + (1 << shift);
      added = 1;
    }
    this.#additions += added;
    if (this.#additions >= this.#sampleSize) this.#halve();
  }

  /** From 0 to 15. */
  frequency(hash: number): number {
    const table = this.#table;
    const block = (hash & this.#blockMask) * blockWords;
    const counters = this.#counters(hash);
    let least = 15;
    for (let row = 0; row < 4; row++) {
      const counter = counters >>> (row * 8);
      const word = table[block + row * rowWords + ((counter >>> 3) & 3)]!;
      const count = (word >>> ((counter & 7) << 2)) & 15;
      if (count < least) least = count;
    }
    return least;
  }

  clear(): void {
    this.#table.fill(0);
    this.#additions = 0;
  }

  /** Bits that do not depend on those which choose the block alone: five for each row, in a byte of their own. */
  #counters(hash: number): number {
    const mixed = Math.imul(hash ^ (hash >>> 15), 0x31848bab);
    return mixed ^ (mixed >>> 14);
  }

  #halve(): void {
    const table = this.#table;
    let odd = 0;
    for (let i = 0; i < table.length; i++) {
      const word = table[i]!;
      for (let lost = word & 0x11111111; lost !== 0; lost &= lost - 1) odd++;
      table[i] = (word >>> 1) & 0x77777777;
    }
    this.#additions = (this.#additions - (odd >>> 2)) >>> 1;
  }
}
