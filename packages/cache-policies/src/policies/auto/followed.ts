/** The value of a key of the sample, with what its hash and weight are: so a hit tells at once whether it is one. */
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
