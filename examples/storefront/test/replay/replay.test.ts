import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@ashlar/core';
import { HashRing } from '@ashlar/hash-ring';
import { referenceRows, traceFile, withTraces } from '@workspace/services/traces';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { usualWarmUp } from '../../src/cli/options.ts';
import { evictionOf } from '../../src/evictions.ts';
import type { ReplayReport, Report } from '../../src/output/report.ts';
import { policyNames } from '../../src/policies.ts';
import { hitsOf } from '../../src/replay/what-if.ts';
import { readTrace } from '../../src/workload/read-trace.ts';
import { seasons } from '../../src/workload/seasons.ts';
import { shopDay } from '../../src/workload/shop-day.ts';
import { reportOf } from '../program.ts';
import { lruHits } from './lru.ts';

/** A request at a time to one replica: its hits are exactly those of a policy. */
const oneAfterAnother = ['--replicas', '1', '--concurrency', '1', '--load-ms', '0'];

/** The hits of an LRU cache after the warm-up that the requests begin with. */
function warmLruHits(keys: ArrayLike<string | number>, size: number): number {
  const all = Array.from(keys);
  return lruHits(all, size) - lruHits(all.slice(0, usualWarmUp), size);
}

function onlyReplay({ replays, changes }: Report): ReplayReport {
  expect(replays).toHaveLength(1);
  expect(changes).toEqual([]);
  return replays[0]!;
}

/** The hits of bare maps on the same requests. */
function replayedBy({ replayed }: ReplayReport): Record<string, number> {
  return Object.fromEntries(replayed.map(({ eviction, hits }) => [eviction, hits]));
}

/** Processes start as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 120_000 });

describe('one replica and one request after another', () => {
  it.each([1, 200])('hits exactly as an LRU cache of %i products does that begins cold', async cache => {
    const keys = shopDay(seasons.july, 800, seededRandom(3));
    const generated = ['--season', 'july', '--seed', '3', '--requests', '800', '--cold'];
    const args = [...oneAfterAnother, ...generated, '--cache', `${cache}`, '--eviction', 'lru'];
    const report = await reportOf(args);
    const replay = onlyReplay(report);
    const hits = lruHits(keys, cache);
    expect(report.warmUp).toBe(0);
    expect(replay).toMatchObject({ requests: 800, errors: 0, hits, misses: 800 - hits, retries: 0 });
    expect(replay.replicas[0]!.counted).toEqual({ hits, misses: 800 - hits });
    expect(replayedBy(replay)['lru']).toBe(hits);
  });

  it('hits exactly as W-TinyLFU replayed alone does, the usual policy, and more than LRU when warm', async () => {
    const report = await reportOf([...oneAfterAnother, '--requests', '1000', '--cache', '100']);
    const replay = onlyReplay(report);
    expect(report).toMatchObject({ eviction: 'wTinyLfu', warmUp: usualWarmUp });
    const day = shopDay(seasons.december, usualWarmUp + 1_000, seededRandom(1));
    const { wTinyLfu, lru } = replayedBy(replay);
    expect({ wTinyLfu, lru }).toEqual({ wTinyLfu: replay.hits, lru: warmLruHits(day, 100) });
    expect(replay.replicas[0]!.counted).toEqual({ hits: replay.hits, misses: 1_000 - replay.hits });
    expect(wTinyLfu).toBeGreaterThan(lru!);
  });

  const trace = 'cache2k-web12';
  it(
    `hits on ${trace} exactly as often as the LRU cache of 1200 that reference simulators agree with`,
    withTraces,
    async () => {
      const { keys } = await readTrace(traceFile(trace));
      const hits = lruHits(keys, 1_200);
      expect({ hits, misses: keys.length - hits }).toEqual(referenceHits(trace, 1_200));
      expect(referenceHits(trace, 1_200)).toEqual({ hits: 63_917, misses: 31_690 });
      const alone = { keys, warmUp: new Map(), answeredBy: keys.map(() => 'replica-1') };
      expect(hitsOf(evictionOf('lru'), 1_200, alone)).toBe(63_917);
      expect(hitsOf(evictionOf('wTinyLfu'), 1_200, alone)).toBeGreaterThan(66_000);

      const part = ['--trace', traceFile(trace), '--requests', '3000'];
      const args = [...oneAfterAnother, '--cache', '1200', '--eviction', 'lru', ...part];
      const replay = onlyReplay(await reportOf(args));
      const warm = warmLruHits(keys.slice(0, usualWarmUp + 3_000), 1_200);
      expect(replay).toMatchObject({ requests: 3_000, errors: 0, hits: warm, misses: 3_000 - warm });
      expect(replayedBy(replay)['lru']).toBe(warm);
    },
  );
});

describe('a replay with a death and a birth', () => {
  it('loses no request, and its figures add up', async () => {
    const args = ['--requests', '1000', '--rate', '500', '--seed', '4', '--cache', '100', '--cold'];
    const report = await reportOf(args);
    const distinct = new Set(shopDay(seasons.december, 1_000, seededRandom(4))).size;
    expect(report).toMatchObject({ products: distinct, replicas: 4, cache: 100 });
    expect(report.replays.map(({ policy }) => policy)).toEqual(['peak-ewma', 'consistent']);
    for (const replay of report.replays) {
      expect(replay).toMatchObject({ requests: 1_000, errors: 0, reasons: {} });
      expect(sum(replay.replicas.map(({ requests }) => requests))).toBe(1_000);
      expect(sum(replay.replicas.map(({ hits }) => hits))).toBe(replay.hits);
      expect(sum(replay.replicas.map(({ share }) => share))).toBeCloseTo(1, 10);
      expect(replay.hits + replay.misses).toBe(1_000);
      expect(replay.hitRatio).toBe(replay.hits / 1_000);
      expect(replay.latency.p50Ms).toBeLessThanOrEqual(replay.latency.p99Ms);
      expect(replay.latency.p99Ms).toBeLessThanOrEqual(replay.latency.maxMs);
      expect(replay.elapsedMs).toBeGreaterThan(1_990);
      expect(replay.replicas.map(({ replica, fate }) => `${replica} ${fate}`)).toEqual([
        'replica-1 stayed',
        'replica-2 killed',
        'replica-3 stayed',
        'replica-4 stayed',
        'replica-5 joined',
      ]);
      // What the client saw of a replica that lived is what the replica counted; what was retried it never saw.
      for (const { fate, requests, hits, counted } of replay.replicas) {
        expect(counted).toEqual(fate === 'killed' ? undefined : { hits, misses: requests - hits });
      }
      const steps = replay.events.map(({ type, replica }) => `${replica} ${type}`);
      expect(steps.filter(step => !step.endsWith('ejected'))).toEqual([
        'replica-2 killed',
        'replica-2 forgotten',
        'replica-5 joined',
      ]);
    }
    const [plain, sticky] = report.replays as [ReplayReport, ReplayReport];
    expect(sticky.hits).toBeGreaterThan(plain.hits);
    expect(sticky.copies).toBeLessThan(plain.copies);
  });

  it('moves no more products than it must', async () => {
    const args = ['--requests', '600', '--rate', '600', '--policy', 'consistent', '--cold'];
    const { changes, products } = await reportOf(args);
    const [death, birth] = changes;
    expect(changes.map(({ type, replica }) => `${replica} ${type}`)).toEqual([
      'replica-2 killed',
      'replica-5 joined',
    ]);
    expect(death).toMatchObject({ products, needless: 0, minimum: death!.moved });
    expect(birth).toMatchObject({ products, needless: 0, minimum: Math.round(products / 4) });
    for (const { moved, shareOfKeySpace } of changes)
      expect(moved / products).toBeCloseTo(shareOfKeySpace, 1);
  });

  it('kills no replica where there is one, and lets another join', async () => {
    const { replays } = await reportOf(['--requests', '300', '--rate', '300', '--replicas', '1', '--cold']);
    for (const { errors, replicas } of replays) {
      expect(errors).toBe(0);
      expect(replicas.map(({ fate }) => fate)).toEqual(['stayed', 'joined']);
    }
  });
});

describe('a replay in which nothing happens', () => {
  it('asks one replica for a product, the one that the ring names, many at a time', async () => {
    const report = await reportOf([
      '--requests',
      '1000',
      '--policy',
      'consistent',
      '--concurrency',
      '20',
      '--replicas',
      '5',
      '--load-ms',
      '1',
      '--cold',
    ]);
    const replay = onlyReplay(report);
    expect(replay).toMatchObject({ requests: 1_000, errors: 0, copies: 1, events: [] });
    const names = ['replica-1', 'replica-2', 'replica-3', 'replica-4', 'replica-5'];
    const ring = new HashRing(names);
    const owners = Array.from(shopDay(seasons.december, 1_000, seededRandom(1)), product =>
      ring.get(`${product}`),
    );
    expect(replay.replicas.map(({ replica, requests }) => [replica, requests])).toEqual(
      names.map(name => [name, owners.filter(owner => owner === name).length]),
    );
  });

  it('answers all who want a product that a tiny cache pushes out while it loads', async () => {
    const args = [
      '--requests',
      '500',
      '--concurrency',
      '50',
      '--replicas',
      '1',
      '--cache',
      '1',
      '--load-ms',
      '3',
      '--cold',
    ];
    expect(onlyReplay(await reportOf(args))).toMatchObject({ requests: 500, errors: 0 });
  });
});

describe('a replay with a slow and a failing replica', () => {
  it('loses no request by any policy, and those that look at latency ask the slow one least', async () => {
    const report = await reportOf(['--policy', 'all', '--requests', '600', '--rate', '300', '--cold']);
    expect(report).toMatchObject({ plot: 'trouble', changes: [] });
    expect(report.replays.map(({ policy }) => policy)).toEqual(policyNames);
    const asked: Record<string, number> = {};
    for (const { policy, requests, errors, late, replicas, events } of report.replays) {
      expect({ requests, errors }).toEqual({ requests: 600, errors: 0 });
      const steps = events.map(({ type, replica }) => `${replica} ${type}`);
      expect(steps).toEqual(expect.arrayContaining(['replica-2 slow', 'replica-3 failing']));
      expect(replicas.map(({ fate }) => fate)).toEqual(['stayed', 'slow', 'failing', 'stayed']);
      const [, slow, failing] = replicas;
      expect(failing!.failures).toBeGreaterThan(0);
      expect(late).toBeGreaterThan(0);
      asked[policy] = slow!.requests;
    }
    expect(asked['peak-ewma']).toBeLessThan(asked['round-robin']!);
    expect(asked['least-requests']).toBeLessThan(asked['round-robin']!);
  });
});

describe('a trace', () => {
  it('is replayed from an access log, whatever its paths', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'storefront-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const paths = ['/a%20b', '/ä/"quoted"', '/a%20b', '/100%', '/../x', '/<b>?q=1', '/<b>'];
    const lines = paths.map(
      path => `::1 - - [10/Oct/2024:13:55:36 +0200] "GET ${path} HTTP/1.1" 200 1 "-" "-"`,
    );
    await writeFile(join(folder, 'access.log'), ['bad', ...lines].join('\n'));
    const args = ['--trace', join(folder, 'access.log'), '--concurrency', '1', '--replicas', '1'];
    const report = await reportOf(args);
    expect(report.workload).toMatch(/\(access log\), 2 bad lines left out$/);
    expect(report.warmUp).toBe(0); // all six are replayed, and so none is left for the warm-up
    expect(onlyReplay(report)).toMatchObject({ requests: 6, errors: 0, hits: 2 });
  });
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** The exact LRU results of the reference simulators. */
function referenceHits(trace: string, size: number): { hits: number; misses: number } {
  const row = referenceRows('reference-hits').find(
    ([t, , , s, p]) => t === trace && s === `${size}` && p === 'LRU',
  );
  return { hits: Number(row?.[5]), misses: Number(row?.[6]) };
}
