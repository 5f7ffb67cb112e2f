import { InvalidOptionError, integer, type Rule } from '@ashlar/core';
import { bytesOf } from '../../hash/key-bytes.ts';
import type { Key } from '../../placement.ts';
import { Continuum } from '../../ring/continuum.ts';
import { reader } from '../hash/key-reader.ts';
import { xxh64 } from '../hash/xxh64.ts';
import type { NamedServer } from '../system/system-nodes.ts';

/** A 64-bit hash of the first `length` bytes, written to `digest` as upper and lower half. */
export type ByteHash64 = (bytes: Uint8Array, length: number, digest: Uint32Array) => void;

export const xx: ByteHash64 = (bytes, length, digest) => xxh64(bytes, length, 0, digest);

/** The greatest ring that Envoy's and gRPC's configuration admits. */
export const greatestRing: number = 8 * 1024 * 1024;

export interface RingSizes {
  readonly min: number;
  readonly max: number;
}

/** A number of points. */
export function ringSize(orElse: number): Rule<number> {
  return integer(orElse, { min: 1, max: greatestRing });
}

/** @throws InvalidOptionError when the least is above the greatest */
export function requireOrder(min: number, max: number): void {
  if (min <= max) return;
  throw new InvalidOptionError(
    'minRingSize',
    `\`minRingSize\` must be at most \`maxRingSize\`, ${max}, got ${min} (number)`,
  );
}

/**
 * The ring of Envoy and gRPC: so many points that the lightest server has a whole number of them, at least `min` and at
 * most `max` in all. Parts of points add up from server to server, so their order counts where they are not whole.
 */
export function ringOf(servers: readonly NamedServer[], { min, max }: RingSizes, hash: ByteHash64): Circle64 {
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  const least = servers.reduce((part, { weight }) => Math.min(part, weight / total), 1);
  const scale = Math.min(Math.ceil(least * min) / least, max);
  const room = servers.length === 0 ? 0 : Math.ceil(scale) + 1;
  const highs = new Uint32Array(room);
  const lows = new Uint32Array(room);
  const owners = new Uint32Array(room);
  const point = new Uint32Array(2);
  let at = 0;
  let target = 0;
  for (const { owner, name, weight } of servers) {
    target += scale * (weight / total);
    for (let k = 0; at < target; k++, at++) {
      const bytes = bytesOf(`${name}_${k}`);
      hash(bytes, bytes.length, point);
      highs[at] = point[0]!;
      lows[at] = point[1]!;
      owners[at] = owner;
    }
  }
  return new Circle64(highs.subarray(0, at), lows.subarray(0, at), owners.subarray(0, at));
}

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
