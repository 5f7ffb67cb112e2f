import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@ashlar/core';
import { ended } from '@workspace/services';
import { startProgram } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import type { Report } from '../src/output/report.ts';
import { ViewLog } from '../src/shop/view-log.ts';
import { visitors } from '../src/shop/visitors.ts';

const main = new URL('../dist/main.js', import.meta.url);
const start = (...args: string[]) => startProgram(main, args);

it('finds out at night what it shows the next day, and no page fails', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nightly-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const args = ['--requests', '1500', '--hour-ms', '200', '--json', '--svg', 'night.svg'];
  // npm runs the program in its own folder, and the picture goes to where npm was called
  const { code, stdout, stderr } = await ended(startProgram(main, args, { INIT_CWD: folder }));
  expect(code, stderr).toBe(0);
  const { hours, runs, versions, showsBestSellers } = JSON.parse(stdout) as Report;
  expect(hours.reduce((sum, { requests }) => sum + requests, 0)).toBe(1_500);
  expect(versions).toEqual({ 'best-sellers': 1, related: 1 });
  expect(runs.map(({ job, status }) => `${job} ${status}`)).toEqual([
    'best-sellers succeeded',
    'related succeeded',
  ]);
  expect(showsBestSellers).toBe(true);
  const related = (from: number, to: number) =>
    hours.slice(from, to).reduce((sum, hour) => sum + hour.related, 0);
  expect(related(0, 15)).toBe(0); // Before three
  expect(related(18, 24)).toBeGreaterThan(0); // From six on
  expect(readFileSync(join(folder, 'night.svg'), 'utf8')).toContain('</svg>');
}, 60_000);

it('ends at Ctrl-C, and says in a line what it does not understand', async () => {
  const child = start('--hour-ms', '60000');
  child.stdout!.once('data', () => child.kill('SIGINT'));
  expect(await ended(child)).toMatchObject({ code: 130, stderr: '' });
  expect(await ended(start('--hour', '5'))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--hour'),
  });
}, 30_000);

it('has the traffic of a day: each view once, in order, few at night', () => {
  const views = visitors(2_000, 12, seededRandom(7));
  expect(views).toHaveLength(2_000);
  expect(views.every(({ atMs }, at) => atMs >= (views[at - 1]?.atMs ?? 0))).toBe(true);
  const between = (from: number, to: number) =>
    views.filter(({ atMs }) => atMs >= from * 3_600_000 && atMs < to * 3_600_000).length;
  expect(between(13, 17)).toBeLessThan(between(6, 10) / 10);
});

it('counts what was looked at, and what in the same visits', () => {
  const log = new ViewLog();
  log.add([
    { product: 'a', visit: '1', fromCache: false },
    { product: 'b', visit: '1', fromCache: false },
    { product: 'a', visit: '2', fromCache: true },
    { product: 'b', visit: '2', fromCache: true },
    { product: 'c', visit: '2', fromCache: false },
    { product: 'b', visit: '3', fromCache: true },
  ]);
  expect(log.top(2)).toEqual(['b', 'a']);
  expect(log.relatedTo('a', 5)).toEqual(['b', 'c']);
  expect(log.relatedTo('d', 5)).toEqual([]);
});
