import { expect, test } from 'vitest';
import { blocksOf } from '../src/index.ts';

const lines = (...text: string[]): string => text.join('\n');

test('a block has its heading, its first line and its code', () => {
  const markdown = lines(
    '# A `code` [link](https://example.com) ##',
    '',
    '```ts',
    'one();',
    '',
    'two();',
    '```',
  );
  expect(blocksOf(markdown)).toEqual([
    { heading: 'A code link', line: 4, code: 'one();\n\ntwo();', runs: true },
  ]);
});

test('only `ts` counts, `no-run` is kept, and what VitePress adds to a fence is passed over', () => {
  const markdown = lines(
    '```sh\nnpm test\n```',
    '```ts no-run\na\n```',
    '```ts:line-numbers {1,3-4} [file.ts]\nb\n```',
    '```\nc\n```',
  );
  expect(blocksOf(markdown).map(({ code, line, runs }) => ({ code, line, runs }))).toEqual([
    { code: 'a', line: 5, runs: false },
    { code: 'b', line: 8, runs: true },
  ]);
});

test('a fence inside a longer fence, or of the other kind, is text', () => {
  const markdown = lines('````md', '# Not a heading', '```ts', 'no();', '```', '````', '~~~ts', '```', '~~~');
  expect(blocksOf(markdown)).toEqual([{ heading: '', line: 8, code: '```', runs: true }]);
});

test('the indentation of a fence is taken off its code', () => {
  expect(blocksOf(lines('- item', '', '  ```ts', '  if (a) {', '    b();', '  }', '  ```'))[0]?.code).toBe(
    'if (a) {\n  b();\n}',
  );
});

test('lines may end as on Windows', () => {
  expect(blocksOf('```ts\r\na();\r\nb();\r\n```\r\n')[0]?.code).toBe('a();\nb();');
});

test.each([
  ['```typescript\na\n```', 'line 1: code is tested when its fence says `ts`, not `typescript`'],
  ['\n```js\na\n```', 'line 2: code is tested when its fence says `ts`, not `js`'],
  ['```ts norun\na\n```', 'line 1: `ts` takes `no-run`, not `norun`'],
  ['text\n\n```ts\na', 'line 3: this fence has no end'],
])('%j would go untested in silence: an error', (markdown, message) => {
  expect(() => blocksOf(markdown)).toThrow(message);
});
