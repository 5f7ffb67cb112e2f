import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/publish/digest.ts';
import { sha256 } from '../../src/publish/sha256.ts';

const nodes = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('base64');

/** As where there is no `node:crypto`. */
function inBrowser(content: Uint8Array | string): string {
  vi.stubGlobal('process', undefined);
  try {
    return digestOf(content);
  } finally {
    vi.unstubAllGlobals();
  }
}

describe('the digest', () => {
  it('is that of FIPS 180-4', () => {
    expect(Buffer.from(sha256(Buffer.from('abc'))).toString('hex')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });

  it('is the same in a browser, at every length around the ends of blocks', () => {
    for (let length = 0; length < 260; length++) {
      const bytes = Uint8Array.from({ length }, (_, index) => index * 31 + length);
      expect(inBrowser(bytes)).toBe(nodes(bytes));
    }
  });

  it('is the same in a browser for any bytes, a part of others too, and any text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), fc.nat(100), (bytes, from) => {
        expect(inBrowser(bytes.subarray(from))).toBe(nodes(bytes.subarray(from)));
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(inBrowser(text)).toBe(nodes(text));
      }),
    );
  });

  it('is in Node that of Node', () => {
    expect(digestOf('a\nb')).toBe(nodes('a\nb'));
  });
});
