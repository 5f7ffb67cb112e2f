const buckets = 8;
/** The most keys that are remembered; of a larger cache it is a sample of them, chosen by hash. */
const mostKeys = 1024;

/**
 * Recently rejected keys, by hash, and how soon they returned: a larger window would have held them. Of fixed size; a key
 * may displace another one.
 */
export class Rejected {
  #hashes: Int32Array = new Int32Array(0);
  #stamps: Int32Array = new Int32Array(0);
  /** A key is watched if these bits of its hash are 0. */
  #unwatched = 0;
  /** How many came back, by how many entries had come in between. */
  readonly #returned = new Float64Array(buckets);

  clear(): void {
    this.#hashes = this.#stamps = new Int32Array(0);
    this.#unwatched = 0;
    this.#returned.fill(0);
  }

  add(hash: number, now: number): void {
    const hashes = this.#hashes;
    if ((hash & this.#unwatched) !== 0 || hashes.length === 0) return;
    const at = placeOf(hash, hashes.length);
    hashes[at] = hash;
    this.#stamps[at] = now;
  }

  /** A key came to a cache of that many entries. */
  missed(hash: number, now: number, size: number): void {
    this.#fit(size);
    if ((hash & this.#unwatched) !== 0) return;
    const at = placeOf(hash, this.#hashes.length);
    if (this.#hashes[at] !== hash || this.#stamps[at] === 0) return;
    const bucket = Math.floor((((now - this.#stamps[at]!) | 0) * buckets) / size);
    this.#stamps[at] = 0;
    if (bucket >= 0 && bucket < buckets) this.#returned[bucket]! += this.#unwatched + 1;
  }

  /** The most hits that there would have been for each entry more, over how many more they may be, up to as many again. */
  bestDensity(size: number): number {
    let best = 0;
    let sum = 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      sum += this.#returned[bucket]!;
      best = Math.max(best, (sum * buckets) / ((bucket + 1) * size));
    }
    return best;
  }

  fade(keep: number): void {
    for (let bucket = 0; bucket < buckets; bucket++) this.#returned[bucket]! *= keep;
  }

  #fit(size: number): void {
    const wanted = 4 * Math.min(size, mostKeys);
    if (this.#hashes.length >= wanted && (this.#unwatched + 1) * mostKeys * 2 > size) return;
    let length = 16;
    while (length < wanted) length *= 2;
    if (length !== this.#hashes.length) {
      this.#hashes = new Int32Array(length);
      this.#stamps = new Int32Array(length);
    }
    while ((this.#unwatched + 1) * mostKeys * 2 <= size) this.#unwatched = 2 * this.#unwatched + 1;
  }
}

/** By other bits than those that choose what is watched. */
function placeOf(hash: number, length: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> (Math.clz32(length) + 1);
}
