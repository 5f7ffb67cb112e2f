/** What goes from one node to another when one ring follows another. */
export interface Movement {
  readonly from: string;
  readonly to: string;
  /** The part of all hashes that moves, 0 to 1. */
  readonly share: number;
  /** The hashes that move, as [first, last], both included, ascending. */
  readonly ranges: readonly (readonly [number, number])[];
}

/** A circle of points with live owners; `points` has a sentinel at `size`, whose owner is that of the first point. */
export interface Circle {
  readonly points: Uint32Array;
  readonly size: number;
  ownerAt(at: number): string;
}

const lastHash = 0xffffffff;

interface Tally {
  readonly from: string;
  readonly to: string;
  readonly ranges: [number, number][];
}

/** Goes once around both circles together; ordered by `from`, then `to`. */
export function movements(before: Circle, after: Circle): Movement[] {
  const tallies = new Map<string, Map<string, Tally>>();
  let [i, j] = [0, 0];
  for (let start = 0; start <= lastHash; ) {
    // No hash from `start` to `end` has a point of either ring before it, so all of them have the same two owners
    const end = Math.min(before.points[i]!, after.points[j]!);
    const [from, to] = [before.ownerAt(i), after.ownerAt(j)];
    if (from !== to) extend(tallyOf(tallies, from, to).ranges, start, end);
    while (i < before.size && before.points[i]! <= end) i++;
    while (j < after.size && after.points[j]! <= end) j++;
    start = end + 1;
  }
  return [...tallies.values()]
    .flatMap(byTarget => [...byTarget.values()])
    .sort((a, b) => compare(a.from, b.from) || compare(a.to, b.to))
    .map(({ from, to, ranges }) => ({ from, to, share: shareOf(ranges), ranges }));
}

function tallyOf(tallies: Map<string, Map<string, Tally>>, from: string, to: string): Tally {
  const byTarget = tallies.get(from) ?? new Map<string, Tally>();
  tallies.set(from, byTarget);
  const tally = byTarget.get(to) ?? { from, to, ranges: [] };
  byTarget.set(to, tally);
  return tally;
}

function extend(ranges: [number, number][], start: number, end: number): void {
  const last = ranges.at(-1);
  if (last !== undefined && last[1] === start - 1) last[1] = end;
  else ranges.push([start, end]);
}

function shareOf(ranges: readonly (readonly [number, number])[]): number {
  return ranges.reduce((sum, [first, last]) => sum + (last - first + 1), 0) / 2 ** 32;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
