import { expect, it } from 'vitest';
import { alignedTable, markdownTable } from '../src/table.ts';

const rows = [
  ['', 'b'],
  ['long', '1'],
  ['x', '100', '2'],
];

it('aligns the first column to the left and figures to the right', () => {
  expect(alignedTable(rows)).toBe('         b\nlong     1\nx      100   2');
});

it('stands closer where that makes it fit, and goes on below where it cannot fit', () => {
  const wide = [
    ['', 'b', 'cc', 'd'],
    ['row', '10', '20', '300'],
  ];
  expect(alignedTable(wide, 19)).toBe('       b   cc     d\nrow   10   20   300');
  expect(alignedTable(wide, 18)).toBe('      b  cc    d\nrow  10  20  300');
  expect(alignedTable(wide, 15)).toBe('       b   cc\nrow   10   20\n\n        d\nrow   300');
  expect(alignedTable(wide, 1)).toBe('       b\nrow   10\n\n      cc\nrow   20\n\n        d\nrow   300');
});

it('is Markdown, padded for a terminal', () => {
  expect(
    markdownTable([
      ['of', 'ns'],
      ['ours', '1234'],
      ['theirs', '5'],
    ]).split('\n'),
  ).toEqual(['| of     |   ns |', '| ------ | ---: |', '| ours   | 1234 |', '| theirs |    5 |']);
});
