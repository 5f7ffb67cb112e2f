import { describe, expect, it } from 'vitest';
import { misspelled, nearest, describe as quoted } from '../src/index.ts';

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

describe('misspelled', () => {
  it.each([
    ['wieght', 'weight'],
    ['Weight', 'weight'],
    ['weigth', 'weight'],
    ['zon', 'zone'],
    ['ulr', 'url'],
    ['uri', 'url'],
    ['height', undefined],
    ['zoneId', undefined],
    ['w', undefined],
    ['', undefined],
  ])('%s: %s', (typed, meant) => {
    expect(misspelled(typed, ['weight', 'zone', 'url'])).toBe(meant);
  });
});

describe('describe', () => {
  it.each([
    [class Ring {}, 'the class Ring'],
    [class {}, 'a class'],
    [() => {}, 'a function'],
    [String, 'a function'],
  ])('of a function: %s', (value, text) => {
    expect(quoted(value)).toBe(text);
  });
});
