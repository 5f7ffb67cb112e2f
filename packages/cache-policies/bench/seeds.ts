import { parseArgs } from 'node:util';
import { wTinyLfu } from '@ashlar/cache-policies';
import { seededRandom } from '@ashlar/core';
import { replay } from '../test/support/replay.ts';
import { readTrace, referenceCells } from '../test/support/traces.ts';

/** How many points of the hit ratio `wTinyLfu` is behind the better of Caffeine's adaptive policies, by the seed of its hashes. */
const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '8' }, cell: { type: 'string', default: '' } },
});
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);

const ewma = referenceCells('WTinyLFU-adaptive(trust-region-ewma)');
const cells = referenceCells('WTinyLFU-adaptive(simple)')
  .map((cell, i) => ({ ...cell, name: `${cell.trace} at ${cell.cacheSize}`, other: ewma[i]!.hits }))
  .filter(({ name }) => name.includes(values.cell));

const rows = cells.map(({ name, trace, cacheSize, requests, hits, other }) => {
  const points = seeds.map(seed => {
    const map = wTinyLfu<number, number>({ max: cacheSize, random: seededRandom(seed) });
    return (Math.max(hits, other) - replay(map, readTrace(trace))) / (requests / 100);
  });
  return { name, points };
});

const rounded = (points: number): number => Math.round(points * 100) / 100;
const mean = (points: readonly number[]): number =>
  rounded(points.reduce((sum, one) => sum + one, 0) / points.length);

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
