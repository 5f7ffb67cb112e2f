import { seededRandom } from '@ashlar/core';
import { describeWith } from '@workspace/services/vitest';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tally } from '../faults/fault.ts';
import { happenings, play } from '../faults/faults.ts';
import { hitShare, Judge, type Read, type Write } from '../faults/history.ts';
import { Site } from '../faults/site.ts';
import { Frames, isNews } from '../faults/wire/frames.ts';

/** The long version: npm run faults -w @ashlar/cache-policies */
const quick = [
  ['pubsub', 'none'],
  ['pubsub', 'reader-stopped'],
  ['pubsub', 'hearing-black-holed'],
  ['pubsub', 'message-lost'],
  ['pubsub', 'loader-stopped'],
  ['tracking', 'commands-cut'],
  ['tracking', 'message-lost'],
] as const;

describeWith({ own: 'redis' }, 'faults', () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.start({ boundMs: 200, timeoutMs: 5_000 });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  it.each(quick)(
    '%s, %s: nobody reads for longer than the bound what was overwritten',
    async (invalidation, name) => {
      const happening = happenings.find(one => one.name === name)!;
      const finding = await play(site, happening, { index: 0, random: seededRandom(7) }, { invalidation });
      expect(finding).toMatchObject({ stale: 0, restored: 0, unexpected: 0, remarks: [] });
      expect(finding.operations).toBeGreaterThan(10);
    },
  );

  it.each([
    ['serves what is no longer confirmed', 'unbounded', 'hearing-black-holed', 'stale'],
    ['takes fills without their lease', 'unleased', 'loader-stopped', 'restored'],
  ] as const)('find a tier that %s', async (_, mutant, name, count) => {
    const happening = happenings.find(one => one.name === name)!;
    const random = seededRandom(7);
    const settings = { invalidation: 'pubsub', patienceMs: 1_000 } as const;
    let found = 0;
    for (let index = 0; index < 10 && found === 0; index++) {
      const finding = await play(site, happening, { index, random }, { ...settings, mutant });
      found = finding[count];
    }
    expect(found).toBeGreaterThan(0);
  });
});

const order = new Map([['key', ['a', 'b', 'c']]]);
const write = (value: string, resolvedAt: number | null): Write => ({ key: 'key', value, resolvedAt });
const read = (value: string | null, invokedAt: number, isHit = true): Read => ({
  ...{ key: 'key', value, invokedAt, isHit },
});

describe('the judge', () => {
  const judge = new Judge(order, [write('b', 100), write('c', 300)]);

  it.each([
    [read('a', 90), -10],
    [read('a', 150), 50],
    [read('a', 400), 300],
    [read('b', 299), -1],
    [read('b', 350), 50],
    [read('c', 1_000), Number.NEGATIVE_INFINITY],
    [read(null, 0), undefined],
    [read('d', 0), undefined],
  ])('knows how old %j is', (one, staleness) => {
    expect(judge.staleness(one)).toBe(staleness);
  });

  it('holds nobody to a write that was rejected, but to a newer one', () => {
    expect(new Judge(order, [write('b', null)]).staleness(read('a', 500))).toBe(Number.NEGATIVE_INFINITY);
    expect(new Judge(order, [write('b', null), write('c', 50)]).staleness(read('a', 60))).toBe(10);
    // the later write may resolve first
    expect(new Judge(order, [write('b', 400), write('c', 100)]).staleness(read('a', 200))).toBe(100);
  });

  it('counts reads beyond the bound, and values from nowhere', () => {
    const tally = new Tally();
    const reads = [read('a', 200), read('a', 201), read('c', 500), read('d', 0)];
    expect(judge.reads(reads, 100, tally)).toBe(101);
    const remarks = ['key was d, which its source never had'];
    expect(tally.finding()).toEqual({ operations: 4, stale: 1, restored: 0, unexpected: 1, remarks });
  });

  it('allows the shared tier nothing, for it has no bound', () => {
    const tally = new Tally();
    judge.samples([read(null, 500), read('c', 500), read('b', 299), read('b', 301), read('d', 0)], tally);
    expect(tally.restored).toBe(2);
  });

  it('agrees with a search through all writes', () => {
    const writes = fc.array(fc.option(fc.nat(100)), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(writes, fc.nat(4), fc.nat(120), (times, position, invokedAt) => {
        const values = times.map((_, i) => `v${i}`);
        const all = times.map((at, i) => write(values[i]!, at));
        const newer = times.filter((at, i) => i > position && at !== null) as number[];
        const staleness = new Judge(new Map([['key', values]]), all).staleness(
          read(values[position]!, invokedAt),
        );
        expect(staleness).toBe(invokedAt - Math.min(...newer));
      }),
      { seed: 7 },
    );
  });

  it('shares out hits of the time of the fault', () => {
    const reads = [read('a', 0), read('a', 10), read('a', 11, false), read('a', 20), read('a', 21, false)];
    expect(hitShare(reads, 10, 20)).toBeCloseTo(66.7, 1);
    expect(hitShare(reads, 30, 40)).toBeUndefined();
  });
});

describe('frames', () => {
  const replies = [
    '+OK\r\n',
    ':12\r\n',
    '-ERR no\r\n',
    '$-1\r\n',
    '*-1\r\n',
    '$7\r\na\r\nbc\r\n\r\n',
    '*0\r\n',
    '*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n',
    '*2\r\n*1\r\n:1\r\n$1\r\na\r\n',
    '>2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n',
    '%1\r\n+a\r\n~2\r\n#t\r\n_\r\n',
  ];

  it('are the replies, however the bytes come', () => {
    const bytes = Buffer.from(replies.join(''));
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(bytes.length)), cuts => {
        const frames = new Frames();
        const ends = [...cuts.sort((a, b) => a - b), bytes.length];
        const found = ends.flatMap((end, i) => frames.take(bytes.subarray(ends[i - 1] ?? 0, end)));
        expect(found.map(String)).toEqual(replies);
      }),
      { seed: 7 },
    );
  });

  it('of changes are told from others', () => {
    const news = replies.filter(reply => isNews(Buffer.from(reply)));
    expect(news).toEqual([replies[7], replies[9]]);
  });
});
