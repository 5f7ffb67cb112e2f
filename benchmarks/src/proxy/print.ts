import { markdownTable } from '@workspace/program';
import type { Comparison, Figures } from './compare.ts';

const kinds: readonly (readonly [bench: string, unit: string, what: keyof Figures, digits: number])[] = [
  ['CPU time a request', 'µs', 'cpuMicros', 0],
  ['requests a second', '1/s', 'perSecond', 0],
  ['p99', 'ms', 'p99Ms', 1],
];

/** As Markdown; after each figure of another, how many times ours it is. */
export function tables(comparisons: readonly Comparison[]): string {
  return comparisons.map(tableOf).join('\n');
}

function tableOf({ load, backends, figures }: Comparison): string {
  const [[, ours]] = [...figures] as [[string, Figures]];
  const title = `${load.name}, ${backends} ${backends === 1 ? 'backend' : 'backends'}`;
  const head = [title, ...kinds.flatMap(([bench, unit]) => [`${bench}, ${unit}`, 'ratio'])];
  const rows = [...figures].map(([name, its]) => [
    name,
    ...kinds.flatMap(([, , what, digits]) => [
      its[what].toFixed(digits),
      its === ours ? '' : `${(its[what] / ours[what]).toFixed(2)}×`,
    ]),
  ]);
  return `${markdownTable([head, ...rows])}\n`;
}

/** `ratio` is peerValue / value. */
export function json(comparisons: readonly Comparison[]): string {
  const rows = comparisons.flatMap(({ load, backends, figures }) => {
    const [[subject, ours], ...peers] = [...figures] as [[string, Figures], ...[string, Figures][]];
    return kinds.flatMap(([bench, unit, what]) =>
      peers.map(([peer, its]) => ({
        bench: `${load.name}, ${backends} backends: ${bench}`,
        subject,
        peer,
        unit,
        value: ours[what],
        peerValue: its[what],
        ratio: its[what] / ours[what],
      })),
    );
  });
  return `${JSON.stringify(rows, null, 2)}\n`;
}
