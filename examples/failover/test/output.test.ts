import { describe, expect, it } from 'vitest';
import { picture, recentWrites } from '../src/output/picture.ts';
import { reportTable } from '../src/output/report.ts';
import type { Column } from '../src/traffic/timeline.ts';

const column = (servers: string, write: number, calls: Partial<Column['calls']> = {}): Column => {
  return { servers, calls: { write, unknown: 0, failed: 0, read: write, ...calls } };
};
const columns = [
  column('Pr', 8),
  column('Pr', 4),
  column('xr', 0, { unknown: 1 }),
  column('xr', 0),
  column('FP', 1),
];

describe('the picture', () => {
  it('has a column for each tenth of a second', () => {
    expect(picture(columns, ['a', 'bee'], 10)).toBe(
      ['a       PPxxF', 'bee     rrrrP', 'writes  █▄?·▁', 'reads   █▄··▁'].join('\n') +
        '\n        100 ms a column; P primary, r replica, x down, F fenced',
    );
  });

  it('takes neighbors together when it would be too wide, and shows what is rare', () => {
    const text = picture(columns, ['a', 'b'], 3);
    expect(text).toContain('a       PxF\n');
    expect(text).toContain('writes  █?▁\n');
    expect(text).toContain('200 ms a column');
  });

  it('of nothing is empty', () => {
    expect(picture([], ['a'], 10)).toMatch(/^a {7}\nwrites {2}\n/);
    expect(recentWrites([], 10)).toBe('');
  });

  it('shows the latest writes', () => {
    expect(recentWrites(columns, 2)).toBe('·█');
    expect(recentWrites([column('P', 0, { failed: 2 })], 5)).toBe('!');
  });
});

describe('the table', () => {
  it('says when something is not as it was promised', () => {
    const report = {
      ...{
        cluster: 'in memory',
        term: 2,
        acknowledged: 10,
        lost: 1,
        unknown: 0,
        unknownButThere: 0,
        notExecuted: 0,
      },
      ...{
        notExecutedButThere: 0,
        brokenReads: 0,
        oldReads: 0,
        failedReads: 0,
        longestGapMs: 240,
        ok: false,
      },
    };
    expect(reportTable(report)).toMatch(/lost +1\n[\s\S]*NOT WHAT WAS PROMISED$/);
    expect(reportTable({ ...report, ok: true })).not.toContain('PROMISED');
  });
});
