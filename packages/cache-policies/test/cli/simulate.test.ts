import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { seededRandom } from '@ashlar/core';
import { ended } from '@workspace/services';
import { commandLine } from '@workspace/services/command-line';
import { traceFile, withTraces } from '@workspace/services/traces';
import { describe, expect, it } from 'vitest';
import type { Report } from '../../src/cli/report.ts';
import { referenceCells } from '../support/traces.ts';

const { folder, file: fileOf, run, start } = commandLine(new URL('../../dist/cli/main.js', import.meta.url));

const random = seededRandom(7);
/** Popular ones, seldom ones, and some that are no numbers. */
const keys = Array.from({ length: 20_000 }, () => {
  const number = Math.floor(3_000 ** random());
  return number % 3 === 0 ? `producto/ñ-${number}` : String(number);
});

async function reportOf(args: readonly string[], input?: string | Uint8Array): Promise<Report> {
  const { code, stdout, stderr } = await run(['simulate', ...args, '--json'], input);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as Report;
}

/** An access log of URLs of that many characters, each asked for twice. */
function* longUrls(count: number, length: number): Generator<string> {
  const tail = 'x'.repeat(length);
  const line = (i: number) =>
    `10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET /${i}/${tail} HTTP/1.1" 200 5\n`;
  for (let i = 0; i < count; i++) yield line(i) + line(i);
}

it('replays long keys in memory that does not depend on their length', { timeout: 300_000 }, async () => {
  const count = 20_000; // of which a program that kept them would need 160 MB
  const child = start(['simulate', '-', '--json'], ['--max-old-space-size=96']);
  const sent = pipeline(Readable.from(longUrls(count, 8_000)), child.stdin).catch(() => {});
  const { code, stdout } = await ended(child);
  await sent;
  expect(code).toBe(0);
  const { trace, results } = JSON.parse(stdout) as Report;
  expect(trace).toMatchObject({ requests: 2 * count, keys: { count, exact: true } });
  expect(results.every(({ hits }) => hits === count)).toBe(true);
});

it.each(['\u001b[31mred', 'a\u009b31m', 'two\nlines', 'bell\u0007'])(
  'shows a file name %j without control characters',
  async name => {
    const missing = await run(['simulate', name]);
    expect(missing.code).toBe(2);
    const present = await run(['simulate', fileOf(name, 'a\nb\n')]);
    expect(present.code).toBe(0);
    const svg = await run(['simulate', name, '--svg', join(folder, `no ${name}`, name)]);
    expect(svg.code).toBe(2);
    for (const { stdout, stderr } of [missing, present, svg]) {
      expect(stderr.replace(/\n$/, '')).not.toMatch(/\p{Cc}/u);
      expect(stdout.split('\n', 1)[0]).not.toMatch(/\p{Cc}/u);
    }
  },
);

function hitsOf({ results }: Report): Record<string, number> {
  return Object.fromEntries(results.map(({ policy, max, hits }) => [`${policy} ${max}`, hits]));
}

/** A `Map` is in the order of insertion; an LRU inserts anew at a hit. */
function modelHits(requests: readonly string[], max: number, lru: boolean): number {
  const cache = new Map<string, true>();
  let hits = 0;
  for (const key of requests) {
    if (cache.has(key)) hits++;
    if (lru || !cache.has(key)) {
      cache.delete(key);
      cache.set(key, true);
    }
    if (cache.size > max) cache.delete(cache.keys().next().value!);
  }
  return hits;
}

const expected = Object.fromEntries(
  [50, 500].flatMap(max => [
    [`lru ${max}`, modelHits(keys, max, true)],
    [`fifo ${max}`, modelHits(keys, max, false)],
  ]),
);
const modelled = ['--policy', 'fifo,lru', '--max', '500,50'];

describe('simulate', () => {
  it.each([
    ['plain', keys.join('\n')],
    ['with carriage returns and blank lines', `\r\n${keys.join(' \r\n\r\n')}\r\n`],
    ['with a byte order mark', `\ufeff${keys.join('\n')}`],
    ['with a byte order mark, in gzip', gzipSync(`\ufeff\r\n${keys.join('\r\n')}`)],
    ['gzip', gzipSync(keys.join('\n'))],
    [
      'gzip in several members',
      Buffer.concat([gzipSync(`${keys.slice(0, 99).join('\n')}\n`), gzipSync(keys.slice(99).join('\n'))]),
    ],
  ])('has the hits of a plain model, from a file and from the standard input: %s', async (name, content) => {
    const fromFile = await reportOf([fileOf(`${name}.trace`, content), ...modelled]);
    expect(hitsOf(fromFile)).toEqual(expected);
    expect(fromFile.trace).toMatchObject({ format: 'keys', requests: keys.length, badLines: 0 });
    expect(hitsOf(await reportOf(['-', ...modelled], content))).toEqual(expected);
  });

  it('requests the paths of the GETs of an access log', async () => {
    const line = (key: string, at: number, method = 'GET') =>
      `10.0.0.${at % 250} - - [01/Jul/2026:10:00:${at % 60} +0000] "${method} /${encodeURI(key)}?session=${at} HTTP/1.1" 200 ${at} "-" "Mozilla/5.0 [x]"`;
    const lines = keys.map((key, at) => line(key, at));
    lines.splice(100, 0, line('1', 3, 'POST'), 'no line of a log');
    const report = await reportOf(['-', ...modelled], lines.join('\n'));
    expect(hitsOf(report)).toEqual(expected);
    expect(report.trace).toMatchObject({ format: 'access log', badLines: 1, skippedLines: 1 });
  });

  it('bounds all policies by the optimum, and sorts by hits', async () => {
    const report = await reportOf([fileOf('all', keys.join('\n')), '--max', '100,1000']);
    for (const max of [100, 1_000]) {
      const rows = report.results.filter(row => row.max === max);
      expect(rows).toHaveLength(12);
      expect(rows[0]!.policy).toBe('opt');
      for (const { hits, misses } of rows) expect(hits + misses).toBe(keys.length);
      expect(rows.map(({ hits }) => hits)).toEqual(rows.map(({ hits }) => hits).sort((a, b) => b - a));
    }
    expect(report.trace.keys).toEqual({ count: new Set(keys).size, exact: true });
  });

  it('estimates between the sizes and for an LRU of any size, near to the exact replay', async () => {
    // Seldom keys, so that larger caches differ
    const many = Array.from({ length: 60_000 }, () => String(Math.floor(100_000 * random() ** 3)));
    const file = fileOf('many', many.join('\n'));
    const { curves, lruCurve } = await reportOf([file, '--policy', 'lru', '--max', '1000,10000']);
    const estimates = curves[0]!.points.filter(({ exact }) => !exact).concat(lruCurve.points);
    expect(curves[0]!.points.map(({ max }) => max)).toEqual([1_000, 1_778, 3_162, 5_623, 10_000]);
    for (const { max, missRatio } of estimates) {
      const exact = 1 - modelHits(many, max, true) / many.length;
      expect(Math.abs(missRatio - exact), `at ${max}`).toBeLessThan(0.02);
    }
  });

  it('prints the table, draws the curves, and leaves the optimum out when it was not asked for', async () => {
    const args = ['simulate', '-', '--policy', 'LRU,sieve', '--max', '50,500', '--svg', 'curves.svg'];
    const { code, stdout, stderr } = await run(args, keys.join('\n'));
    expect([code, stderr]).toEqual([0, '']);
    const hits = expected['lru 500']!;
    expect(stdout).toContain('500 entries');
    expect(stdout).toMatch(
      new RegExp(
        `^lru +${hits.toLocaleString('en-US')} +${(keys.length - hits).toLocaleString('en-US')} +\\d\\d\\.\\d\\d %$`,
        'm',
      ),
    );
    expect(stdout).not.toMatch(/^opt/m);
    const drawn = readFileSync(join(folder, 'curves.svg'), 'utf8');
    expect(drawn).toMatch(/^<svg xmlns/);
    expect(drawn.match(/<circle/g)).toHaveLength(4);
    expect(drawn).not.toContain('NaN');
  });

  it('draws also for a single size and a single key', async () => {
    const { code } = await run(['simulate', '-', '--max', '1', '--svg', 'one.svg'], 'a\na\n');
    expect(code).toBe(0);
    expect(readFileSync(join(folder, 'one.svg'), 'utf8')).not.toMatch(/NaN|Infinity/);
  });

  it('fails with exit code 1 when the folder for its drawing is gone at the end', async () => {
    mkdirSync(join(folder, 'gone'));
    const child = start(['simulate', '-', '--policy', 'fifo', '--max', '10', '--svg', 'gone/one.svg']);
    const all = ended(child);
    const begun = once(child.stderr!, 'data');
    child.stdin!.write('1\n2\n'.repeat(600_000));
    await begun;
    rmdirSync(join(folder, 'gone'));
    child.stdin!.end();
    const { code, stdout, stderr } = await all;
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/\ncache-policies: ENOENT[^\n]+\n$/);
  });

  it('explains itself', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    expect([code, stderr]).toEqual([0, '']);
    for (const word of ['--policy', '--max', '--svg', '--json', 'wTinyLfu', 'opt'])
      expect(stdout).toContain(word);
  });

  it.each([
    [[], 'say what to do'],
    [['simulat', 'x'], 'there is no command "simulat"'],
    [['simulate'], 'needs a FILE'],
    [['simulate', 'a', 'b'], 'takes one FILE, got also "b"'],
    [['simulate', 'nowhere'], 'nowhere: there is no such file'],
    [['simulate', '.'], '.: is a directory'],
    [['simulate', '-'], 'the standard input: is empty'],
    [['simulate', 'x', '--policy', 'seive'], 'there is no policy "seive"; there are arc, auto, clock,'],
    [['simulate', 'x', '--policy', 'lru,'], 'there is no policy ""'],
    [['simulate', 'x', '--polcy', 'lru'], "Unknown option '--polcy'"],
    [['simulate', 'x', '--max'], "'--max <value>' argument missing"],
    [['simulate', 'x', '--max', '0'], 'from 1 to 16000000, got "0"'],
    [['simulate', 'x', '--max', '100,1.5'], 'got "1.5"'],
    [['simulate', 'x', '--max', '99999999999'], 'got "99999999999"'],
    [['simulate', 'x', '--svg', 'nowhere/x.svg'], '--svg nowhere/x.svg: its folder cannot be written to'],
    [['simulate', 'x', '--svg', '.'], '--svg .: is a directory'],
  ])('refuses %j in one line', async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^cache-policies: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });

  it.each([
    ['binary', Buffer.from(Array.from({ length: 5_000 }, (_, at) => (at * 7) % 256)), 'is not a text file'],
    ['control characters', '\u0001\u0002\n\u0003\n', 'is not a trace: 2 of its first 2 lines are no keys'],
    ['one endless line', 'x'.repeat(3_000_000), 'is not a trace'],
    ['damaged gzip', gzipSync(keys.join('\n')).subarray(0, 20_000), 'the gzip data is damaged'],
    ['blank lines', '\n \n\n', 'is empty'],
    ['a byte order mark alone', '\ufeff', 'is empty'],
    ['UTF-16', Buffer.from('\ufeffa\nb\n', 'utf16le'), 'is not a text file'],
    ['gzip of nothing', gzipSync(''), 'is empty'],
    ['gzip of gzip', gzipSync(gzipSync(keys.join('\n'))), 'is not a t'],
  ])('refuses a file that is no trace: %s', async (name, content, message) => {
    const { code, stdout, stderr } = await run(['simulate', fileOf(name, content)]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^cache-policies: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });

  it('says on the standard error how far it is, and ends at an interrupt without a trace of itself', async () => {
    const child = start(['simulate', '-', '--policy', 'fifo', '--max', '10', '--svg', 'never.svg']);
    let stdout = '';
    child.stdout!.on('data', data => {
      stdout += String(data);
    });
    child.stdin!.on('error', () => {});
    child.stdin!.write('1\n2\n'.repeat(600_000));
    const [said] = (await once(child.stderr!, 'data')) as [Buffer];
    expect(String(said)).toMatch(/^1,\d\d\d,\d\d\d requests\n$/);
    const exit = once(child, 'exit');
    child.kill('SIGINT');
    expect(await exit).toEqual([null, 'SIGINT']);
    expect(stdout).toBe('');
    expect(existsSync(join(folder, 'never.svg'))).toBe(false);
  });
});

describe('simulate on real traces', withTraces, () => {
  it.each(['cache2k-web12', 'lirs-multi2'])('has the hits of the reference simulators: %s', async trace => {
    const names: Record<string, string> = { LRU: 'lru', FIFO: 'fifo', Sieve: 'sieve' };
    const cells = referenceCells().filter(cell => cell.trace === trace && cell.policy in names);
    const sizes = [...new Set(cells.map(({ cacheSize }) => cacheSize))];
    expect(sizes.length).toBeGreaterThan(1);
    const file = traceFile(trace);
    const report = await reportOf([file, '--policy', 'lru,fifo,sieve', '--max', sizes.join(',')]);
    expect(hitsOf(report)).toEqual(
      Object.fromEntries(cells.map(({ policy, cacheSize, hits }) => [`${names[policy]} ${cacheSize}`, hits])),
    );
  });
});
