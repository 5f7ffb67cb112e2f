/** Sub-buckets of an octave: results are exact for sizes 3 % apart, and interpolated between them. */
const perOctave = 32;
const octaves = 32;

/** Weights by distance, in buckets that grow with the distance; in an eighth of a kilobyte an octave. */
export class Histogram {
  readonly #weights = new Float64Array(perOctave * octaves);

  add(distance: number, weight: number): void {
    this.#weights[bucketOf(distance)]! += weight;
  }

  /** The weight of what is at less than `distance`; within a bucket it is taken to be spread evenly. */
  below(distance: number): number {
    const bucket = bucketOf(distance);
    let sum = 0;
    for (let i = 0; i < bucket; i++) sum += this.#weights[i]!;
    const from = startOf(bucket);
    return sum + (this.#weights[bucket]! * (distance - from)) / (startOf(bucket + 1) - from);
  }

  /** Of what was added, keeps that share. */
  fade(keep: number): void {
    for (let i = 0; i < this.#weights.length; i++) this.#weights[i]! *= keep;
  }
}

function bucketOf(distance: number): number {
  if (distance < perOctave) return Math.floor(distance);
  const octave = Math.floor(Math.log2(distance / perOctave));
  const bucket = perOctave * (octave + 1) + Math.floor(distance / 2 ** octave - perOctave);
  return Math.min(bucket, perOctave * octaves - 1);
}

function startOf(bucket: number): number {
  if (bucket < perOctave) return bucket;
  const octave = Math.floor(bucket / perOctave) - 1;
  return (perOctave + (bucket % perOctave)) * 2 ** octave;
}
