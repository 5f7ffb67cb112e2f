/** The value of a sampled key, with its hash and weight, so that a hit recognizes it at once. */
export class Followed<V> {
  readonly value: V;
  readonly hash: number;
  readonly weight: number;

  constructor(value: V, hash: number, weight: number) {
    this.value = value;
    this.hash = hash;
    this.weight = weight;
  }
}

export function plain<V>(held: V | Followed<V>): V {
  return held instanceof Followed ? held.value : held;
}
