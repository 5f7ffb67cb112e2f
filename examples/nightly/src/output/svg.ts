import type { Report } from './report.ts';

const plot = { left: 56, top: 48, width: 720, height: 240 };
const lane = 22;
const colors = ['#d62728', '#1f77b4'];

/** Load and work over the day as a picture: a bar an hour, a lane a job. */
export function svg({ hours, runs, versions }: Report): string {
  const jobs = Object.keys(versions);
  const most = Math.max(1, ...hours.map(({ requests }) => requests));
  const step = plot.width / hours.length;
  const x = (ms: number) => plot.left + (ms / 86_400_000) * plot.width;
  const floor = plot.top + plot.height;
  const height = floor + 40 + jobs.length * lane;
  const bars = hours.map(({ hour, requests, related }, at) => {
    const tall = (requests / most) * plot.height;
    const shown = requests === 0 ? 0 : (related / requests) * tall;
    const left = (plot.left + at * step + 1).toFixed(1);
    const wide = (step - 2).toFixed(1);
    const title = `<title>${hour}:00: ${requests} page views, ${related} with related products</title>`;
    return [
      `<rect x="${left}" y="${(floor - tall).toFixed(1)}" width="${wide}" height="${tall.toFixed(1)}" fill="#bbb">${title}</rect>`,
      `<rect x="${left}" y="${(floor - shown).toFixed(1)}" width="${wide}" height="${shown.toFixed(1)}" fill="#2ca02c">${title}</rect>`,
      ...(hour % 3 === 0 ? [`<text x="${left}" y="${floor + 16}">${hour}:00</text>`] : []),
    ].join('');
  });
  const lanes = jobs.map((job, at) => {
    const top = floor + 28 + at * lane;
    const color = colors[at % colors.length];
    const mine = runs.filter(run => run.job === job);
    const boxes = mine.map(({ fromMs, toMs, status }) => {
      const wide = Math.max(2, x(toMs) - x(fromMs)).toFixed(1);
      return `<rect x="${x(fromMs).toFixed(1)}" y="${top}" width="${wide}" height="${lane - 8}" fill="${color}"><title>${job} ${status}</title></rect>`;
    });
    return `${boxes.join('')}<text x="${plot.left + plot.width + 8}" y="${top + 11}">${job}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 ${height}" width="880" height="${height}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<rect width="880" height="${height}" fill="#fff"/>`,
    `<text x="${plot.left}" y="22" font-size="15">A shop from noon to noon</text>`,
    `<text x="${plot.left}" y="38" fill="#666">page views an hour, at most ${most}; green: with related products</text>`,
    ...bars,
    ...lanes,
    '</svg>',
    '',
  ].join('\n');
}
