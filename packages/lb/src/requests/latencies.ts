/** Edges of the buckets are so far apart that a percentile is at most 5 % too high. */
const growth = 1.05;
const perLog = 1 / Math.log(growth);
const smallestMs = 0.01;
const buckets = 450;
const generationMs = 15_000;
/** How long a percentile that was counted out is used again. */
const validMs = 250;
const minSamples = 20;

/**
 * How long the requests of the last 15 to 30 seconds took, as one percentile. Counted in buckets that grow by 5 %, in
 * two generations of 15 s, so that neither memory nor time grows with the requests.
 */
export class Latencies {
  readonly #percentile: number;
  #recent = new Uint32Array(buckets);
  #recentCount = 0;
  #before = new Uint32Array(buckets);
  #beforeCount = 0;
  #generation = -Infinity;
  #known: number | undefined;
  #knownAt = -Infinity;

  constructor(percentile: number) {
    this.#percentile = percentile;
  }

  add(latencyMs: number, now: number): void {
    this.#age(now);
    this.#recent[bucketOf(latencyMs)]!++;
    this.#recentCount++;
  }

  /** At least the time that so many percent took, and at most 5 % more; `undefined` until 20 are known. */
  valueMs(now: number): number | undefined {
    if (now < this.#knownAt + validMs) return this.#known;
    this.#age(now);
    this.#knownAt = now;
    this.#known = this.#count();
    return this.#known;
  }

  #count(): number | undefined {
    const count = this.#recentCount + this.#beforeCount;
    if (count < minSamples) return undefined;
    let left = Math.ceil((count * this.#percentile) / 100);
    for (let bucket = 0; ; bucket++) {
      left -= this.#recent[bucket]! + this.#before[bucket]!;
      if (left <= 0 || bucket === buckets - 1) return smallestMs * growth ** bucket;
    }
  }

  #age(now: number): void {
    const generation = Math.floor(now / generationMs);
    if (generation === this.#generation) return;
    const isNext = generation === this.#generation + 1;
    this.#generation = generation;
    [this.#recent, this.#before] = [this.#before, this.#recent];
    this.#beforeCount = isNext ? this.#recentCount : 0;
    if (!isNext) this.#before.fill(0);
    this.#recent.fill(0);
    this.#recentCount = 0;
  }
}

/** The first whose upper edge is not below the latency. */
function bucketOf(latencyMs: number): number {
  if (!(latencyMs > smallestMs)) return 0;
  return Math.min(buckets - 1, Math.ceil(Math.log(latencyMs / smallestMs) * perLog));
}
