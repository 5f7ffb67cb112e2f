/**
 * Keys by hash, in the order of their last request, at most `capacity` of them; counts how many others were requested since.
 * The order is that of places in an array, each used once; a Fenwick tree over them counts those that are taken.
 */
export class RecencyStack {
  readonly #places: number;
  readonly #hashes: Int32Array;
  readonly #taken: Uint8Array;
  readonly #tree: Int32Array;
  /** Places by hash, plus 1; linear probing. */
  readonly #table: Int32Array;
  #size = 0;
  #next = 0;

  constructor(capacity: number) {
    this.#places = 2 * capacity;
    this.#hashes = new Int32Array(this.#places);
    this.#taken = new Uint8Array(this.#places);
    this.#tree = new Int32Array(this.#places + 1);
    let length = 16;
    while (length < 2 * capacity) length *= 2;
    this.#table = new Int32Array(length);
  }

  get size(): number {
    return this.#size;
  }

  /** How many other keys were requested since this one was; -1 if it is new. Now it is the latest. */
  request(hash: number): number {
    if (this.#next === this.#places) this.retain(() => true);
    const at = this.#find(hash);
    const before = this.#table[at]! - 1;
    let since = -1;
    if (before < 0) this.#size++;
    else {
      since = this.#size - this.#upTo(before);
      this.#mark(before, -1);
    }
    const place = this.#next++;
    this.#hashes[place] = hash;
    this.#table[at] = place + 1;
    this.#mark(place, 1);
    return since;
  }

  /** Forgets the keys that are not to be kept, and closes the gaps of their places. */
  retain(kept: (hash: number) => boolean): void {
    const hashes = this.#hashes;
    let to = 0;
    for (let place = 0; place < this.#next; place++) {
      const hash = hashes[place]!;
      if (this.#taken[place] === 1 && kept(hash)) hashes[to++] = hash;
    }
    this.#taken.fill(0);
    this.#table.fill(0);
    this.#tree.fill(0);
    for (let place = 0; place < to; place++) {
      this.#table[this.#find(hashes[place]!)] = place + 1;
      this.#mark(place, 1);
    }
    this.#next = to;
    this.#size = to;
  }

  /** Where in the table a hash is, or may be put. */
  #find(hash: number): number {
    const mask = this.#table.length - 1;
    let at = Math.imul(hash, 0x9e3779b1) >>> (Math.clz32(mask) & 31);
    for (;;) {
      const place = this.#table[at]! - 1;
      if (place < 0 || this.#hashes[place] === hash) return at;
      at = (at + 1) & mask;
    }
  }

  #mark(place: number, change: number): void {
    const tree = this.#tree;
    this.#taken[place] = change > 0 ? 1 : 0;
    for (let i = place + 1; i < tree.length; i += i & -i) tree[i]! += change;
  }

  /** How many are at this place or before. */
  #upTo(place: number): number {
    const tree = this.#tree;
    let sum = 0;
    for (let i = place + 1; i > 0; i &= i - 1) sum += tree[i]!;
    return sum;
  }
}
