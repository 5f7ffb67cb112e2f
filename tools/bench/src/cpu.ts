import { type Bench, type Figures, figures, noiseFloor } from './bench.ts';
import { median } from './measure.ts';

/** One call, whose cost is counted. */
export type Operation = () => Promise<unknown>;

/** Operations that do the same work, against a server that disposing stops. */
export interface Contest extends AsyncDisposable {
  readonly ours: readonly [name: string, operation: Operation];
  readonly peers: Readonly<Record<string, Operation>>;
}

const unit = 'µs of client CPU';
const rounds = 15;
const times = 1_000;

/** What one operation costs this process, user and system time: the median of the rounds. */
export function cost(name: string, make: () => Promise<Contest>): Bench {
  return figures(name, unit, async (): Promise<Figures> => {
    await using contest = await make();
    const [subject, ours] = contest.ours;
    const samples = await sampled([ours, ours, ...Object.values(contest.peers)]);
    const [value, ...others] = samples.map(median) as [number, ...number[]];
    const names = [noiseFloor, ...Object.keys(contest.peers)];
    return {
      ours: [subject, value],
      peers: Object.fromEntries(names.map((peer, index) => [peer, others[index]!])),
    };
  });
}

/** How much more that is than what the first peer costs: the median of the rounds' differences. */
export function costOver(name: string, target: number, make: () => Promise<Contest>): Bench {
  return figures(name, unit, async (): Promise<Figures> => {
    await using contest = await make();
    const [subject, ours] = contest.ours;
    const [values, others, same] = (await sampled([ours, Object.values(contest.peers)[0]!, ours])) as [
      number[],
      number[],
      number[],
    ];
    const over = (of: readonly number[], from: readonly number[]) =>
      median(of.map((value, round) => value - from[round]!));
    return {
      ours: [subject, over(values, others)],
      peers: { target, [noiseFloor]: over(values, same) },
    };
  });
}

/** One operation after the other, in turns, in a new order each round. */
async function sampled(operations: readonly Operation[]): Promise<number[][]> {
  const samples: number[][] = operations.map(() => []);
  const count = operations.length;
  for (let round = 0; round < rounds + 2; round++) {
    for (let turn = 0; turn < count; turn++) {
      const at = (turn + round) % count;
      const before = process.cpuUsage();
      for (let i = 0; i < times; i++) await operations[at]!();
      const { user, system } = process.cpuUsage(before);
      if (round >= 2) samples[at]!.push((user + system) / times); // the first rounds warm up
    }
  }
  return samples;
}
