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

it('is Markdown, padded for a terminal', () => {
  expect(
    markdownTable([
      ['of', 'ns'],
      ['ours', '1234'],
      ['theirs', '5'],
    ]).split('\n'),
  ).toEqual(['| of     |   ns |', '| ------ | ---: |', '| ours   | 1234 |', '| theirs |    5 |']);
});
