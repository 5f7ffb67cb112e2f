import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('the first program of the README has fifteen lines at most', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, program = ''] = /\n```ts\n(.*?)```\n/s.exec(readme) ?? [];
  const lines = program.trim().split('\n');
  expect(lines.length).toBeGreaterThan(5);
  expect(lines.length).toBeLessThanOrEqual(15);
});
