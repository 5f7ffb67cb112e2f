import { Screen } from '@workspace/program';
import { describe, expect, it } from 'vitest';
import { movesBetween } from '../src/fleet/moves.ts';
import { Tally } from '../src/load/tally.ts';
import { count, milliseconds, percent } from '../src/output/format.ts';
import { replayReport } from '../src/output/report.ts';
import { summary } from '../src/output/summary.ts';
import { policyNames } from '../src/policies.ts';

describe('Tally', () => {
  it('adds up what the client saw', () => {
    const tally = new Tally();
    tally.add('a', { ok: true, replica: 'replica-10', hit: false }, 5);
    tally.add('a', { ok: true, replica: 'replica-2', hit: true }, 1);
    tally.add('b', { ok: true, replica: 'replica-2', hit: true }, 2);
    tally.add('c', { ok: false, why: 'status 503' }, 100);
    expect([tally.requests, tally.errors, tally.hits]).toEqual([4, 1, 2]);
    expect(tally.hitRatio).toBe(2 / 3);
    expect(tally.copies).toBe(3 / 2);
    expect(tally.reasons).toEqual([['status 503', 1]]);
    expect([...tally.replicas]).toEqual([
      ['replica-2', { requests: 2, hits: 2 }],
      ['replica-10', { requests: 1, hits: 0 }],
    ]);
  });

  it('knows the quantiles of a thousand latencies to three figures', () => {
    const tally = new Tally();
    for (let ms = 1; ms <= 1_000; ms++) tally.add('a', { ok: true, replica: 'r', hit: true }, ms);
    const { p50Ms, p99Ms, maxMs } = tally.latency;
    expect(p50Ms).toBeGreaterThan(499);
    expect(p50Ms).toBeLessThan(501.5);
    expect(p99Ms).toBeGreaterThan(989);
    expect(p99Ms).toBeLessThan(992);
    expect(maxMs).toBeCloseTo(1_000, -1);
  });

  it('is all zero before the first answer', () => {
    const { latency, hitRatio, copies } = new Tally();
    expect({ latency, hitRatio, copies }).toEqual({
      latency: { p50Ms: 0, p99Ms: 0, maxMs: 0 },
      hitRatio: 0,
      copies: 0,
    });
  });
});

describe('movesBetween', () => {
  const keys = Array.from({ length: 3_000 }, (_, key) => `${key}`);

  it('is what the dead one had, to the others', () => {
    const moves = movesBetween(['a', 'b', 'c', 'd'], ['a', 'c', 'd'], keys);
    expect(moves).toMatchObject({ products: 3_000, needless: 0, minimum: moves.moved });
    expect(moves.moved / 3_000).toBeCloseTo(moves.shareOfKeySpace, 1);
  });

  it('is what the newcomer gets, from each of the others', () => {
    const moves = movesBetween(['a', 'c', 'd'], ['a', 'c', 'd', 'e'], keys);
    expect(moves).toMatchObject({ minimum: 750, needless: 0 });
    expect(moves.moved).toBeGreaterThan(500);
  });

  it('counts what moves needlessly', () => {
    // One takes over from another: nothing but that may move. When two do, what the second pair moves is too much.
    expect(movesBetween(['a', 'b'], ['a', 'c'], keys).needless).toBe(0);
    expect(movesBetween(['a', 'b', 'x'], ['a', 'c', 'y'], keys).needless).toBeGreaterThan(0);
  });
});

describe('the report', () => {
  const tally = new Tally();
  tally.add('a', { ok: true, replica: 'replica-1', hit: true }, 5);
  tally.add('a', { ok: false, why: 'ECONNREFUSED' }, 1);
  const replay = {
    policy: 'consistent' as const,
    keys: ['a', 'a'],
    warmUp: new Map([['replica-1', ['a']]]),
    answeredBy: ['replica-1', undefined],
    replicasAtStart: ['replica-1', 'replica-2'],
    tally,
    elapsedMs: 10,
    retries: 0,
    failures: new Map(),
    tier: undefined,
    orders: undefined,
    counted: [
      { replica: 'replica-1', hits: 1, misses: 0, tierHits: 3, cached: 1 },
      { replica: 'replica-3', hits: 0, misses: 0, tierHits: 4, cached: 0 },
    ],
    events: [
      { type: 'ejected' as const, replica: 'replica-1', request: 0, atMs: 0, replicas: [] },
      { type: 'killed' as const, replica: 'replica-2', request: 0, atMs: 0, replicas: [] },
      { type: 'joined' as const, replica: 'replica-3', request: 0, atMs: 0, replicas: [] },
    ],
  };

  it('shows replicas that died or joined without answering, and shares of what was answered', () => {
    const { replicas, requests, errors, misses } = replayReport(replay, 1);
    expect({ requests, errors, misses }).toEqual({ requests: 2, errors: 1, misses: 0 });
    expect(replicas.map(({ replica, fate, share }) => [replica, fate, share])).toEqual([
      ['replica-1', 'stayed', 1],
      ['replica-2', 'killed', 0],
      ['replica-3', 'joined', 0],
    ]);
  });

  const report = {
    workload: '',
    warmUp: 1,
    products: 1,
    replicas: 2,
    cache: 1,
    eviction: 'wTinyLfu' as const,
    changes: [],
    replays: [replayReport(replay, 1)],
  };

  it('names the reasons of errors', () => {
    expect(summary(report, new Screen({ write: () => {} }, {}))).toContain('\n  1 × ECONNREFUSED');
  });

  it('fits a terminal, with two policies and with five', () => {
    const change = { type: 'killed' as const, replica: 'replica-2', products: 2_846, moved: 790 };
    const changes = [{ ...change, minimum: 790, needless: 0, shareOfKeySpace: 0.25 }];
    for (const columns of [80, 60]) {
      for (const policies of [['peak-ewma', 'consistent'], policyNames] as const) {
        const replays = policies.map(policy => ({ ...replayReport(replay, 1), policy }));
        let shown = '';
        const screen = new Screen(
          { isTTY: true, columns, write: text => (shown += text) },
          { NO_COLOR: '1' },
        );
        screen.print(summary({ ...report, changes, replays }, screen));
        const longest = Math.max(...shown.split('\n').map(line => line.length));
        expect(longest).toBeLessThanOrEqual(columns);
      }
    }
  });
});

describe('format', () => {
  it('is as people write figures', () => {
    expect([count(1234567), percent(0.1234), milliseconds(1.26), milliseconds(1234)]).toEqual([
      '1,234,567',
      '12.3 %',
      '1.3 ms',
      '1,234 ms',
    ]);
  });
});
