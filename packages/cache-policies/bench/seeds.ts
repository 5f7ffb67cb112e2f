import { wTinyLfu } from '@ashlar/cache-policies';
import { seededRandom } from '@ashlar/core';
import { runCommand } from '@workspace/program';
import { replay } from '../test/support/replay.ts';
import { readTrace, referenceCells } from '../test/support/traces.ts';

await runCommand({
  name: 'seeds',
  about: `npm run bench:seeds -w @ashlar/cache-policies -- [--seeds N] [--cell TEXT]

How many points of the hit ratio wTinyLfu is behind the better of Caffeine's adaptive policies, by the seed of its hashes.`,
  flags: {
    seeds: { value: 'N', help: 'so many seeds (8)' },
    cell: { value: 'TEXT', help: 'only the cells whose name, `TRACE at SIZE`, contains TEXT' },
  },
  run(given) {
    print(given.integer('seeds', 8, [1, 1e6]), given.get('cell') ?? '');
  },
});

function print(count: number, cell: string): void {
  const seeds = Array.from({ length: count }, (_, i) => i + 1);
  const ewma = referenceCells('WTinyLFU-adaptive(trust-region-ewma)');
  const cells = referenceCells('WTinyLFU-adaptive(simple)')
    .map((cell, i) => ({ ...cell, name: `${cell.trace} at ${cell.cacheSize}`, other: ewma[i]!.hits }))
    .filter(({ name }) => name.includes(cell));

  const rows = cells.map(({ name, trace, cacheSize, requests, hits, other }) => {
    const points = seeds.map(seed => {
      const map = wTinyLfu<number, number>({ max: cacheSize, random: seededRandom(seed) });
      return (Math.max(hits, other) - replay(map, readTrace(trace))) / (requests / 100);
    });
    return { name, points };
  });

  console.table(
    rows.map(({ name, points }) => ({
      cell: name,
      least: rounded(Math.min(...points)),
      mean: mean(points),
      most: rounded(Math.max(...points)),
      'seeds over 1.5': points.filter(one => one > 1.5).length,
    })),
  );
  console.table(
    seeds.map((seed, i) => ({
      seed,
      'mean shortfall': mean(rows.map(({ points }) => Math.max(0, points[i]!))),
      worst: rounded(Math.max(...rows.map(({ points }) => points[i]!))),
    })),
  );
}

function rounded(points: number): number {
  return Math.round(points * 100) / 100;
}

function mean(points: readonly number[]): number {
  return rounded(points.reduce((sum, one) => sum + one, 0) / points.length);
}
