import type { Curve, CurvePoint, Report } from '../report.ts';
import { aligned, count, percent } from './format.ts';

const bars = '▁▂▃▄▅▆▇█';
const barWidth = 50;
const mostNumbers = 9;

/** The report for people: the table, and the curves. */
export function text(report: Report): string {
  const parts = [heading(report), ...tables(report), policyCurves(report.curves), lruCurve(report)];
  return `${parts.filter(part => part !== '').join('\n\n')}\n`;
}

function heading({ trace, optLeftOut }: Report): string {
  const { name, format, requests, keys, badLines, skippedLines } = trace;
  const lines = [
    `${name} (${format}): ${count(requests)} requests, ${keys.exact ? '' : 'about '}${count(keys.count)} keys`,
  ];
  if (badLines > 0)
    lines.push(`${count(badLines)} lines that are no ${format === 'keys' ? 'keys' : 'log lines'} left out`);
  if (skippedLines > 0) lines.push(`${count(skippedLines)} requests that are no GET left out`);
  if (optLeftOut) lines.push('opt left out, as it would keep so many requests in memory: --policy all,opt');
  return lines.join('\n');
}

function tables({ results }: Report): string[] {
  const sizes = [...new Set(results.map(({ max }) => max))];
  return sizes.map(size => {
    const rows = results
      .filter(({ max }) => max === size)
      .map(({ policy, hits, misses, hitRatio }) => [policy, count(hits), count(misses), percent(hitRatio)]);
    return aligned([[`${count(size)} entries`, 'hits', 'misses', 'hit ratio'], ...rows]).join('\n');
  });
}

/** A bar and a number for each size; of many sizes the numbers of the first and the last. */
function policyCurves(curves: readonly Curve[]): string {
  const longest = curves.reduce((a, b) => (b.points.length > a.points.length ? b : a)).points;
  if (longest.length < 2) return '';
  const highest = Math.max(...curves.flatMap(({ points }) => points.map(({ missRatio }) => missRatio)));
  const numbered = longest.length > mostNumbers ? [longest[0]!, longest.at(-1)!] : longest;
  const rows = curves.map(({ policy, points }) => {
    const at = new Map(points.map(point => [point.max, point]));
    const line = longest.map(({ max }) => bar(at.get(max)?.missRatio, highest)).join('');
    return [policy, line, ...numbered.map(({ max }) => ratio(at.get(max)))];
  });
  const lines = aligned([['miss ratio', '', ...numbered.map(({ max }) => count(max))], ...rows]);
  if (longest.some(({ exact }) => !exact)) lines.push('~ estimated from a sample of the keys');
  return lines.join('\n');
}

function ratio(point: CurvePoint | undefined): string {
  return point === undefined ? '' : `${point.exact ? '' : '~'}${percent(point.missRatio, 1)}`;
}

function bar(missRatio: number | undefined, highest: number): string {
  if (missRatio === undefined) return ' ';
  return bars[Math.min(bars.length - 1, Math.floor((missRatio / (highest || 1)) * bars.length))]!;
}

function lruCurve({ lruCurve: { points, share } }: Report): string {
  const rows = points
    .filter(({ max }) => max >= 10)
    .map(({ max, missRatio }) => [
      count(max),
      percent(missRatio, 1),
      '█'.repeat(Math.round(missRatio * barWidth)),
    ]);
  if (rows.length === 0) return '';
  const width = Math.max(...rows.map(([size]) => size!.length));
  const lines = rows.map(([size, ratio, full]) =>
    `${size!.padStart(width)}  ${ratio!.padStart(7)}  ${full}`.trimEnd(),
  );
  const followed = share === 1 ? 'all keys' : `${percent(share, share < 0.01 ? 2 : 1)} of the keys`;
  return [`miss ratio of lru by entries, estimated from ${followed} (SHARDS)`, ...lines].join('\n');
}
