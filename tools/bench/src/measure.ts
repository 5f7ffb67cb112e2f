/** Does its work `times` times; what it returns keeps the work from being optimized away. A promise is waited for. */
export type Work = (times: number) => unknown;

export interface MeasureOptions {
  /** How many samples of each work, taken in turns. */
  readonly rounds: number;
  /** How long a sample lasts at least. */
  readonly sampleMs: number;
}

/**
 * The median nanoseconds of one time of each work. The works are sampled in turns, so that what slows the machine down
 * for a while slows them all, and each round in an order by chance, as some leave garbage to whoever comes after them.
 */
export async function measure(
  works: readonly Work[],
  { rounds, sampleMs }: MeasureOptions,
): Promise<number[]> {
  const times: number[] = [];
  for (const work of works) {
    await calibrate(work, sampleMs); // to warm it up: the first times may load, compile or allocate
    times.push(await calibrate(work, sampleMs));
  }
  const samples: number[][] = works.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const i of shuffled(works.length)) {
      samples[i]!.push((await nanoseconds(works[i]!, times[i]!)) / times[i]!);
    }
  }
  return samples.map(median);
}

function shuffled(count: number): number[] {
  const draws = Array.from({ length: count }, (_, i) => ({ i, draw: Math.random() }));
  return draws.sort((a, b) => a.draw - b.draw).map(({ i }) => i);
}

/** How often the work fits a sample, found on warm code. */
async function calibrate(work: Work, sampleMs: number): Promise<number> {
  for (let times = 1; ; times *= 2) {
    // The lesser of two: one may have been interrupted
    const tookMs = Math.min(await nanoseconds(work, times), await nanoseconds(work, times)) / 1e6;
    if (tookMs >= sampleMs / 2 || times >= 2 ** 30) {
      return Math.max(1, Math.round((times * sampleMs) / tookMs));
    }
  }
}

let sink: unknown;

async function nanoseconds(work: Work, times: number): Promise<number> {
  const start = process.hrtime.bigint();
  const returned = work(times);
  const result = returned instanceof Promise ? await returned : returned;
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
