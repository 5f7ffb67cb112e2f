import type { ShardMap } from '@ashlar/shard-router';
import { describe, expect, it } from 'vitest';
import { picture, slotCounts } from '../src/output/picture.ts';
import { isAsPromised, type Report, reportTable } from '../src/output/report.ts';
import { compare } from '../src/traffic/wallets.ts';

const map = (ranges: ShardMap['ranges'], moves: ShardMap['moves'] = []): ShardMap => {
  return { epoch: 1, revision: 1, key: 'text', slots: 128, ranges, moves };
};
const halves = [
  { from: 0, shard: 'one' },
  { from: 64, shard: 'two' },
];
const moving = (step: ShardMap['moves'][number]['step']) => {
  const slices = [{ from: 96, to: 128 }];
  return map(halves, [{ id: 'a', from: 'two', to: 'three', slices, step, token: '1', back: false }]);
};

describe('the picture', () => {
  it('has a row for each shard, and a column for each two slots', () => {
    const [one, two] = picture(map([...halves, { from: 127, shard: 'one' }]), ['one', 'two']).split('\n');
    expect(one).toBe(`one    ${'█'.repeat(32)}${'·'.repeat(31)}▄   65`);
    expect(two).toBe(`two    ${'·'.repeat(32)}${'█'.repeat(31)}▄   63`);
  });

  it('shows what goes and what comes, until it is there', () => {
    expect(picture(moving('copy'), ['two', 'three'])).toBe(
      `two    ${'·'.repeat(32)}${'█'.repeat(16)}${'▒'.repeat(16)}   64\n` +
        `three  ${'·'.repeat(48)}${'░'.repeat(16)}    0`,
    );
    expect(picture(moving('committed'), ['two', 'three'])).not.toMatch(/[▒░]/);
  });

  it('counts what each has', () => {
    expect(slotCounts(map(halves), ['one', 'two', 'three'])).toEqual({ one: 64, two: 64, three: 0 });
  });
});

describe('what is compared in the end', () => {
  const wallets = [
    { owner: 'a', acknowledged: 3, unknown: 0 },
    { owner: 'b', acknowledged: 3, unknown: 1 },
  ];

  it.each([
    [3n, 3n, { lost: 0, twice: 0 }],
    [3n, 4n, { lost: 0, twice: 0 }],
    [4n, 5n, { lost: 0, twice: 2 }],
    [1n, 3n, { lost: 2, twice: 0 }],
  ])('of %d and %d payments there', (a, b, found) => {
    expect(compare(wallets, new Map(Object.entries({ a, b })))).toEqual(found);
  });

  it('finds a wallet that is gone', () => {
    expect(compare(wallets, new Map([['a', 3n]]))).toEqual({ lost: 3, twice: 0 });
  });
});

describe('the report', () => {
  const good: Omit<Report, 'ok'> = {
    ...{ shards: 'in memory', rows: 10, slots: { one: 8, two: 8 }, moves: 5, heldWrites: 0 },
    ...{ writes: 9, lost: 0, twice: 0, unknown: 0, failedWrites: 0, reads: 9, stale: 0, failedReads: 0 },
    ...{ longestPauseMs: 3, longestWriteMs: 5, leaks: [] },
  };

  it('is good when nothing is lost, twice, stale, uneven, or left behind', () => {
    expect(isAsPromised(good)).toBe(true);
    const bad = [{ lost: 1 }, { twice: 1 }, { stale: 1 }, { leaks: ['x'] }, { slots: { one: 9, two: 7 } }];
    for (const each of bad) expect(isAsPromised({ ...good, ...each })).toBe(false);
  });

  it('says when it is not', () => {
    expect(reportTable({ ...good, lost: 1, leaks: ['one: a feed'], ok: false })).toMatch(
      /lost +1\n[\s\S]*left behind: one: a feed\nNOT WHAT WAS PROMISED$/,
    );
    expect(reportTable({ ...good, ok: true })).not.toContain('PROMISED');
  });
});
