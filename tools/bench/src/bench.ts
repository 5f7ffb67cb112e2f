import { type MeasureOptions, measure, type Work } from './measure.ts';

/** A line of the result: what ours took or has, beside one peer. `ratio` is the peer's value over ours. */
export interface Row {
  readonly bench: string;
  readonly subject: string;
  readonly peer: string;
  readonly unit: string;
  readonly value: number;
  readonly peerValue: number;
  readonly ratio: number;
}

export interface Comparison extends Partial<MeasureOptions> {
  readonly ours: readonly [name: string, work: Work];
  readonly peers: Readonly<Record<string, Work>>;
}

/** The peer of the A/A row: ours measured against itself, which shows how far two equal things differ. */
export const noiseFloor = 'itself (noise floor)';

/** A bench is made when it is run, so that a filtered run builds only what it measures. */
export interface Bench {
  readonly name: string;
  /** Benches with the same one that follow each other are printed as one table, a row each. Default: a table of its own. */
  readonly table?: string;
  run(): Row[] | Promise<Row[]>;
}

/** Times ours and its peers in turns, in nanoseconds. */
export function timing(name: string, make: () => Comparison): Bench {
  return {
    name,
    async run() {
      const { ours, peers, rounds = 25, sampleMs = 10 } = make();
      const [subject, work] = ours;
      const names = [noiseFloor, ...Object.keys(peers)];
      const works = [work, work, ...Object.values(peers)];
      const [value, ...others] = (await measure(works, { rounds, sampleMs })) as [number];
      return rows(name, subject, 'ns', value, names, others);
    },
  };
}

export interface Figures {
  readonly ours: readonly [name: string, value: number];
  readonly peers: Readonly<Record<string, number>>;
}

/** Puts figures that need no timing side by side, such as bytes or shares. */
export function figures(name: string, unit: string, make: () => Figures | Promise<Figures>): Bench {
  return {
    name,
    async run() {
      const { ours, peers } = await make();
      return rows(name, ours[0], unit, ours[1], Object.keys(peers), Object.values(peers));
    },
  };
}

/** Benches that are printed as one table; the names of its rows need not repeat `TABLE: `, with which theirs may begin. */
export function inTable(table: string, benches: readonly Bench[]): readonly Bench[] {
  return benches.map(bench => ({ ...bench, table }));
}

function rows(
  bench: string,
  subject: string,
  unit: string,
  value: number,
  peers: readonly string[],
  values: readonly number[],
): Row[] {
  return peers.map((peer, i) => ({
    bench,
    subject,
    peer,
    unit,
    value: rounded(value),
    peerValue: rounded(values[i]!),
    ratio: rounded(values[i]! / value),
  }));
}

/** Four significant digits: more would be noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
