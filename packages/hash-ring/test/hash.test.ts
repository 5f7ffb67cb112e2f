import { InvalidOptionError } from '@ashlar/core';
import fc from 'fast-check';
import reference from 'murmurhash3js-revisited';
import { describe, expect, it } from 'vitest';
import { bytesOf } from '../src/hash/key-bytes.ts';
import { murmur3 } from '../src/index.ts';

// Whole code units, so that unpaired surrogates are among them
const anyString = fc.string({
  unit: fc.integer({ min: 0, max: 0xffff }).map(unit => String.fromCharCode(unit)),
});
const someString = fc.oneof(
  anyString,
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'binary-ascii', maxLength: 300 }),
);

describe('murmur3', () => {
  it('is murmurhash3js-revisited on the UTF-8 bytes, for strings and bytes alike', () => {
    const encoder = new TextEncoder();
    fc.assert(
      fc.property(someString, fc.integer({ min: 0, max: 0xffffffff }), (text, seed) => {
        const bytes = encoder.encode(text);
        const expected = reference.x86.hash32(bytes, seed);
        expect(murmur3(text, seed)).toBe(expected);
        expect(murmur3(bytes, seed)).toBe(expected);
        expect(murmur3(Buffer.from(bytes), seed)).toBe(expected);
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['hello', 0, 0x248bfa47],
    ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
    ['héllo', 0, 3164577896],
  ])('of %j with seed %i is %i', (text, seed, expected) => {
    expect(murmur3(text, seed)).toBe(expected);
  });

  it.each([
    [42],
    [null],
    [undefined],
    [['a']],
    [new Uint16Array(2)],
    [new Int8Array(2)],
    [new DataView(new ArrayBuffer(2))],
  ])('refuses %s, which is neither a string nor bytes', key => {
    expect(() => murmur3(key as never)).toThrow(InvalidOptionError);
  });
});

describe('bytesOf', () => {
  it('encodes as TextEncoder does, whatever the length', () => {
    fc.assert(
      fc.property(someString, fc.integer({ min: 1, max: 200 }), (text, times) => {
        const long = text.repeat(times);
        expect(Buffer.from(bytesOf(long)).equals(new TextEncoder().encode(long))).toBe(true);
      }),
    );
  });
});
