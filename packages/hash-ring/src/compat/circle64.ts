import { Continuum } from '../continuum.ts';
import type { Key } from '../placement.ts';
import { reader } from './hash/key.ts';
import { xxh64 } from './hash/xxh64.ts';

const digest: Uint32Array = new Uint32Array(2);

/** XXH64 of a key, in one array for all. */
export function keyDigest(key: Key): Uint32Array {
  reader.read(key);
  xxh64(reader.bytes, reader.length, 0, digest);
  return digest;
}

/** The circle of 64-bit hashes: a continuum of their upper halves, and the lower halves beside it. */
export class Circle64 {
  readonly #continuum: Continuum;
  /** The lower half of each point. */
  readonly #lows: Uint32Array;
  /** The owner of each point, and of the first one again. */
  readonly owners: Uint32Array;
  readonly size: number;

  /** @param owners the owner of each point, in any order */
  constructor(highs: Uint32Array, lows: Uint32Array, owners: Uint32Array) {
    // The continuum's owners are the indices of the points, which its sentinel closes as well
    this.#continuum = Continuum.of(
      highs,
      Uint32Array.from(highs, (_, i) => i),
      (a, b) => lows[a]! < lows[b]! || (lows[a] === lows[b] && a < b),
    );
    this.size = this.#continuum.size;
    this.#lows = Uint32Array.from(this.#continuum.owners, i => lows[i] ?? 0);
    this.owners = Uint32Array.from(this.#continuum.owners, i => owners[i] ?? 0);
  }

  /** The index of the first point at or after the hash; `size` when that is the circle's first. */
  successor(hash: Uint32Array): number {
    const high = hash[0]!;
    const low = hash[1]!;
    const { points } = this.#continuum;
    let at = this.#continuum.successor(high);
    while (at < this.size && points[at] === high && this.#lows[at]! < low) at++;
    return at;
  }
}
