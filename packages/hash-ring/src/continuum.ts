/** Which of two owners comes first where both have a point at one place; must not depend on the order they came in. */
export type Precedence = (ownerA: number, ownerB: number) => boolean;

/**
 * The circle of 32-bit hashes with its points, each the property of one owner (a small integer). Immutable: whoever
 * walks it is not disturbed by changes to the ring that it came from. Takes 8 bytes a point, and an index of up to 4.
 */
export class Continuum {
  /** How many points there are. */
  readonly size: number;
  /** Ascending, and behind them a sentinel that no hash exceeds. */
  readonly points: Uint32Array;
  /** The owner of each point; the sentinel's is the first point's, so that the circle closes. */
  readonly owners: Uint32Array;
  /** For each value of a hash's leading bits: the first point with these or higher ones. */
  readonly #starts: Uint32Array;
  readonly #shift: number;

  /** Takes both arrays over; they hold `size + 1` elements, sorted by point and precedence. */
  private constructor(points: Uint32Array, owners: Uint32Array) {
    this.size = points.length - 1;
    points[this.size] = 0xffffffff;
    owners[this.size] = this.size === 0 ? 0 : owners[0]!;
    this.points = points;
    this.owners = owners;
    // Buckets are at most as many as points, so about one point has to be looked at; a shift by 32 would be none
    const bits = Math.max(1, 31 - Math.clz32(this.size));
    this.#shift = 32 - bits;
    this.#starts = firstPoints(points, this.size, bits);
  }

  /** The memory that the points take. */
  get byteLength(): number {
    return this.points.byteLength + this.owners.byteLength + this.#starts.byteLength;
  }

  /** From points in any order. */
  static of(points: Uint32Array, owners: Uint32Array, precedes: Precedence): Continuum {
    const sorted = sortedByPoint(points, owners);
    settleTies(sorted.points, sorted.owners, precedes);
    return new Continuum(sorted.points, sorted.owners);
  }

  /** The index of the first point at or after the hash; `size`, where the sentinel is, when that is the circle's first. */
  successor(hash: number): number {
    const place = hash >>> 0;
    const { points } = this;
    let at = this.#starts[place >>> this.#shift]!;
    while (points[at]! < place) at++;
    return at;
  }

  /** With further points of one owner, given in ascending order. */
  with(added: Uint32Array, owner: number, precedes: Precedence): Continuum {
    const points = new Uint32Array(this.size + added.length + 1);
    const owners = new Uint32Array(points.length);
    let from = 0;
    for (let i = 0; i < added.length; i++) {
      const point = added[i]!;
      let to = Math.min(this.successor(point), this.size);
      while (to < this.size && this.points[to] === point && precedes(this.owners[to]!, owner)) to++;
      if (to > from) {
        points.set(this.points.subarray(from, to), from + i);
        owners.set(this.owners.subarray(from, to), from + i);
        from = to;
      }
      points[from + i] = point;
      owners[from + i] = owner;
    }
    points.set(this.points.subarray(from, this.size), from + added.length);
    owners.set(this.owners.subarray(from, this.size), from + added.length);
    return new Continuum(points, owners);
  }

  /** Without the `count` points of one owner. */
  without(owner: number, count: number): Continuum {
    const points = new Uint32Array(this.size - count + 1);
    const owners = new Uint32Array(points.length);
    for (let from = 0, to = 0; from < this.size; from++) {
      if (this.owners[from] === owner) continue;
      points[to] = this.points[from]!;
      owners[to] = this.owners[from]!;
      to++;
    }
    return new Continuum(points, owners);
  }
}

function firstPoints(points: Uint32Array, size: number, bits: number): Uint32Array {
  const starts = new Uint32Array(2 ** bits);
  const width = 2 ** (32 - bits);
  for (let bucket = 0, at = 0; bucket < starts.length; bucket++) {
    while (at < size && points[at]! < bucket * width) at++;
    starts[bucket] = at;
  }
  return starts;
}

/** Radix sort by 11 bits a pass, which takes a third of the time of a comparison sort on 160 000 points. */
function sortedByPoint(
  points: Uint32Array,
  owners: Uint32Array,
): { points: Uint32Array; owners: Uint32Array } {
  const size = points.length;
  let [from, fromOwners] = [points, owners];
  let [to, toOwners] = [new Uint32Array(size + 1), new Uint32Array(size + 1)];
  let [spare, spareOwners] = [new Uint32Array(size + 1), new Uint32Array(size + 1)];
  for (let shift = 0; shift < 32; shift += 11) {
    const places = new Uint32Array(2048);
    for (let i = 0; i < size; i++) places[(from[i]! >>> shift) & 2047]!++;
    for (let digit = 0, place = 0; digit < 2048; digit++) {
      const count = places[digit]!;
      places[digit] = place;
      place += count;
    }
    for (let i = 0; i < size; i++) {
      const place = places[(from[i]! >>> shift) & 2047]!++;
      to[place] = from[i]!;
      toOwners[place] = fromOwners[i]!;
    }
    [from, fromOwners, to, toOwners, spare, spareOwners] = [to, toOwners, spare, spareOwners, to, toOwners];
  }
  return { points: from, owners: fromOwners };
}

function settleTies(points: Uint32Array, owners: Uint32Array, precedes: Precedence): void {
  for (let i = 1; i < points.length - 1; i++) {
    for (let j = i; j > 0 && points[j] === points[j - 1] && precedes(owners[j]!, owners[j - 1]!); j--) {
      const earlier = owners[j - 1]!;
      owners[j - 1] = owners[j]!;
      owners[j] = earlier;
    }
  }
}
