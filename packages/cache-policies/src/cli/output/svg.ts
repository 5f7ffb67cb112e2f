import type { Curve, Report } from '../report.ts';
import { count, percent } from './format.ts';

const plot = { left: 64, top: 56, width: 620, height: 360 };
const width = 840;
const height = 470;
const colors = [
  '#222222',
  '#1f77b4',
  '#d62728',
  '#2ca02c',
  '#9467bd',
  '#ff7f0e',
  '#17becf',
  '#8c564b',
  '#e377c2',
  '#7f7f7f',
  '#bcbd22',
  '#393b79',
];

/** The miss-ratio curves as a picture: sizes on a logarithmic scale, a dot for what is exact. */
export function svg({ trace, curves, lruCurve }: Report): string {
  const sizes = curves.flatMap(({ points }) => points.map(({ max }) => max));
  const single = new Set(sizes).size === 1;
  const shown = single ? lruCurve.points.map(({ max }) => max).concat(sizes) : sizes;
  const [from, to] = [Math.min(...shown), Math.max(...shown)];
  const x = (size: number) => plot.left + (plot.width * Math.log(size / from)) / (Math.log(to / from) || 1);
  const y = (ratio: number) => plot.top + plot.height * (1 - ratio);
  const path = ({ points }: Curve) =>
    points.map(({ max, missRatio }) => `${x(max).toFixed(1)},${y(missRatio).toFixed(1)}`).join(' ');
  const estimate = { ...lruCurve, points: lruCurve.points.filter(({ max }) => max >= from && max <= to) };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${plot.left}" y="22" font-size="15">Miss ratio by size: ${escaped(trace.name)}</text>`,
    `<text x="${plot.left}" y="40" fill="#666">${count(trace.requests)} requests; dots are exact, lines between them and the dashed one (SHARDS) estimates</text>`,
    ...[0, 0.2, 0.4, 0.6, 0.8, 1].flatMap(ratio => [
      `<path d="M${plot.left} ${y(ratio)}h${plot.width}" stroke="#ddd"/>`,
      `<text x="${plot.left - 8}" y="${y(ratio) + 4}" text-anchor="end">${percent(ratio, 0)}</text>`,
    ]),
    ...ticks(from, to).map(
      size =>
        `<text x="${x(size).toFixed(1)}" y="${plot.top + plot.height + 20}" text-anchor="middle">${count(size)}</text>`,
    ),
    `<text x="${plot.left + plot.width / 2}" y="${height - 12}" text-anchor="middle">entries</text>`,
    `<polyline points="${path(estimate)}" fill="none" stroke="#999" stroke-dasharray="5 4"><title>lru, estimated</title></polyline>`,
    ...curves.flatMap((curve, at) => {
      const color = colors[at % colors.length]!;
      const legend = plot.top + 10 + at * 20;
      const right = plot.left + plot.width + 20;
      return [
        `<polyline points="${path(curve)}" fill="none" stroke="${color}" stroke-width="1.8"><title>${curve.policy}</title></polyline>`,
        ...curve.points
          .filter(({ exact }) => exact)
          .map(
            ({ max, missRatio }) =>
              `<circle cx="${x(max).toFixed(1)}" cy="${y(missRatio).toFixed(1)}" r="3" fill="${color}"><title>${curve.policy}, ${count(max)} entries: ${percent(missRatio)}</title></circle>`,
          ),
        `<path d="M${right} ${legend}h18" stroke="${color}" stroke-width="3"/><text x="${right + 24}" y="${legend + 4}">${curve.policy}</text>`,
      ];
    }),
    '</svg>\n',
  ].join('\n');
}

/** Powers of ten, and the ends if these are too few. */
function ticks(from: number, to: number): number[] {
  const tens: number[] = [];
  for (let ten = 1; ten <= to; ten *= 10) if (ten >= from) tens.push(ten);
  return tens.length >= 2 ? tens : [...new Set([from, to])];
}

function escaped(name: string): string {
  return name.replace(/\p{Cc}/gu, ' ').replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`);
}
