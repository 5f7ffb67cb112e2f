import { readFileSync } from 'node:fs';
import { AshlarError } from '@ashlar/core';
import { expect, it } from 'vitest';
import * as all from '../src/index.ts';

it('the README lists every error with its code, and whether to repeat', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const rows = [...readme.matchAll(/^\| `(\w+Error)` \| `(\w+)` \| (yes|no) \|/gm)];
  const listed = rows.map(([, name, code, retryable]) => [name, { code, retryable: retryable === 'yes' }]);
  const classes = Object.entries(all as Readonly<Record<string, unknown>>)
    .filter(([, each]) => Object.prototype.isPrototypeOf.call(AshlarError, Object(each)))
    .map(([name, each]) => [name, each as typeof AshlarError] as const);
  expect(classes.length).toBeGreaterThan(15);
  const exported = classes.map(([name, { code, retryable }]) => [name, { code, retryable }]);
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(exported));
});
