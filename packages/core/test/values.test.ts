import { describe, expect, it } from 'vitest';
import { nearest } from '../src/index.ts';

describe('nearest', () => {
  it.each([
    ['timeout', 'timeoutMs'],
    ['idempotant', 'idempotent'],
    ['TIMEOUTMS', 'timeoutMs'],
    ['keys', 'key'],
    ['ttl', 'ttlMs'],
    ['success', undefined],
    ['', undefined],
  ])('%s: %s', (typed, meant) => {
    expect(nearest(typed, ['timeoutMs', 'idempotent', 'key', 'ttlMs'])).toBe(meant);
  });
});
