import { describe, expect, it } from 'vitest';
import { InvalidOptionError, integerOption, knownOptions, numberOption } from '../src/index.ts';

describe('numberOption, integerOption', () => {
  it('return what they accept', () => {
    expect(numberOption('factor', 1.25, { above: 1, max: 2 })).toBe(1.25);
    expect(integerOption('vnodes', 1, { min: 1 })).toBe(1);
  });

  it.each([
    [
      () => integerOption('vnodes', 0, { min: 1 }),
      '`vnodes` must be an integer of at least 1, got 0 (number)',
    ],
    [() => integerOption('vnodes', 1.5), '`vnodes` must be an integer, got 1.5 (number)'],
    [() => numberOption('factor', 1, { above: 1 }), '`factor` must be a number above 1, got 1 (number)'],
    [
      () => numberOption('share', 2, { min: 0, max: 1 }),
      '`share` must be a number of at least 0 and at most 1, got 2 (number)',
    ],
    [() => numberOption('ttlMs', '50'), '`ttlMs` must be a number, got "50"'],
    [() => numberOption('ttlMs', Number.NaN), '`ttlMs` must be a number, got NaN (number)'],
    [() => numberOption('ttlMs', Number.POSITIVE_INFINITY), 'got Infinity (number)'],
    [() => numberOption('ttlMs', 5n), 'got 5 (bigint)'],
    [() => numberOption('ttlMs', null), 'got null'],
    [() => numberOption('ttlMs', [1]), 'got an array'],
    [() => numberOption('ttlMs', {}), 'got an object'],
    [() => numberOption('ttlMs', () => 1), 'got a function'],
  ])('refuse with a message that quotes the value: %#', (call, message) => {
    expect(call).toThrow(InvalidOptionError);
    expect(call).toThrow(message);
  });
});

describe('knownOptions', () => {
  it('names the option that nobody reads and those there are', () => {
    expect(() => knownOptions('HashRing', { vnodes: 1 }, ['vnodes', 'hash'])).not.toThrow();
    expect(() => knownOptions('HashRing', { vnode: 1 }, ['vnodes', 'hash'])).toThrow(
      'HashRing has no option `vnode`; it takes vnodes, hash',
    );
  });

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true (boolean)'],
    [5_000, '5000 (number)'],
    ['1s', '"1s"'],
    [[], 'an array'],
    [() => 1, 'a function'],
  ])('refuses what is no object of options: %s', (options, text) => {
    expect(() => knownOptions('HashRing', options as unknown as object, ['hash'])).toThrow(
      `HashRing takes an object of options, got ${text}`,
    );
  });
});
