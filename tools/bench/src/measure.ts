/** Does its work `times` times; what it returns keeps the work from being optimized away. */
export type Work = (times: number) => unknown;

export interface MeasureOptions {
  /** How many samples of each work, taken in turns. */
  readonly rounds: number;
  /** How long a sample lasts at least. */
  readonly sampleMs: number;
}

/**
 * The median nanoseconds of one time of each work. The works are sampled in turns, in a new order each round, so that
 * what slows the machine down for a while slows them all.
 */
export function measure(works: readonly Work[], { rounds, sampleMs }: MeasureOptions): number[] {
  const times = works.map(work => calibrate(work, sampleMs));
  const samples: number[][] = works.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < works.length; turn++) {
      const i = (turn + round) % works.length;
      samples[i]!.push(nanoseconds(works[i]!, times[i]!) / times[i]!);
    }
  }
  return samples.map(median);
}

/** How often the work fits a sample, found on warm code. */
function calibrate(work: Work, sampleMs: number): number {
  for (let times = 1; ; times *= 2) {
    // The lesser of two: one may have been interrupted
    const tookMs = Math.min(nanoseconds(work, times), nanoseconds(work, times)) / 1e6;
    if (tookMs >= sampleMs / 2 || times >= 2 ** 30) {
      return Math.max(1, Math.round((times * sampleMs) / tookMs));
    }
  }
}

let sink: unknown;

function nanoseconds(work: Work, times: number): number {
  const start = process.hrtime.bigint();
  const result = work(times);
  const took = Number(process.hrtime.bigint() - start);
  sink = result;
  return took;
}

/** What the last work returned: read by nobody, but the compiler cannot know. */
export function lastResult(): unknown {
  return sink;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
