import { readFileSync } from 'node:fs';
import { AshlarError, InvalidOptionError } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import * as faces from '../src/index.ts';
import { TraceError } from '../src/trace.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const [, section = ''] = /^## Errors$([\s\S]*?)^## /m.exec(readme) ?? [];
const rows = section.split('\n').flatMap(line => {
  const [, names, code, when] = /^\| (`.*?) \| `(.*?)` \| (.*) \|$/.exec(line) ?? [];
  const name = /`(\w+)`/.exec(names ?? '')?.[1];
  return name === undefined ? [] : [{ name, code, isRetryable: when!.includes('`retryable`') }];
});

interface ErrorClass {
  readonly code: string;
  readonly retryable: boolean;
  readonly prototype: unknown;
}

const classes: Readonly<Record<string, unknown>> = { ...faces, TraceError, InvalidOptionError };

describe('the errors of the README', () => {
  it.each(rows)('$name', ({ name, code, isRetryable }) => {
    const found = classes[name] as ErrorClass;
    expect(Object.prototype.isPrototypeOf.call(AshlarError.prototype, found.prototype as object)).toBe(true);
    expect([found.code, found.retryable]).toEqual([code, isRetryable]);
  });

  it('are all that there are', () => {
    const exported = Object.keys(faces).filter(name => name.endsWith('Error'));
    expect(rows.map(({ name }) => name).sort()).toEqual(
      [...exported, 'TraceError', 'InvalidOptionError'].sort(),
    );
  });
});
