import { createHash } from 'node:crypto';
import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { haproxyHashes } from '../../src/compat/haproxy/hashes.ts';
import { crc16, crc32, crc32Memcached } from '../../src/compat/hash/crc.ts';
import { fnv1_32, fnv1a_32 } from '../../src/compat/hash/fnv.ts';
import { hashOf } from '../../src/compat/hash/key-reader.ts';
import { md5 } from '../../src/compat/hash/md5.ts';
import { murmur64A } from '../../src/compat/hash/murmur2.ts';
import { xxh64 } from '../../src/compat/hash/xxh64.ts';
import { murmur64AReference, xxh64Reference } from './support/reference.ts';

const options = { numRuns: 2_000, seed: 20 };
const anyBytes = fc.uint8Array({ minLength: 0, maxLength: 200 });

const bytesOfText = (text: string) => new TextEncoder().encode(text);
const joined = ([high, low]: Uint32Array) => (BigInt(high!) << 32n) | BigInt(low!);

function xxh(bytes: Uint8Array, seed = 0): bigint {
  const digest = new Uint32Array(2);
  xxh64(bytes, bytes.length, seed, digest);
  return joined(digest);
}

function murmur(bytes: Uint8Array): bigint {
  const digest = new Uint32Array(2);
  murmur64A(bytes, bytes.length, digest);
  return joined(digest);
}

function md5Hex(bytes: Uint8Array): string {
  const digest = new Uint32Array(4);
  md5(bytes, bytes.length, digest);
  return Buffer.from(digest.buffer).toString('hex');
}

describe('hash functions agree with others', () => {
  it('md5 with node:crypto, at every length around its blocks', () => {
    for (let length = 0; length < 200; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 37 + length);
      expect(md5Hex(bytes)).toBe(createHash('md5').update(bytes).digest('hex'));
    }
    fc.assert(
      fc.property(anyBytes, bytes => md5Hex(bytes) === createHash('md5').update(bytes).digest('hex')),
      options,
    );
  });

  it('md5 whatever the last bits of Math.sin', () => {
    for (let i = 1; i <= 64; i++) {
      const fraction = (2 ** 32 * Math.abs(Math.sin(i))) % 1;
      expect(Math.min(fraction, 1 - fraction)).toBeGreaterThan(2 ** -10);
    }
  });

  it('crc32 with node:zlib', () => {
    fc.assert(
      fc.property(anyBytes, bytes => crc32(bytes, bytes.length) === zlibCrc32(bytes)),
      options,
    );
    expect(crc32Memcached(bytesOfText('123456789'), 9)).toBe((0xcbf43926 >>> 16) & 0x7fff);
  });

  it('crc16 with the check value of CRC-16/XMODEM', () => {
    expect(crc16(bytesOfText('123456789'), 9) & 0xffff).toBe(0x31c3);
  });

  it('xxh64 with its specification', () => {
    expect(xxh(bytesOfText(''))).toBe(0xef46db3751d8e999n);
    expect(xxh(bytesOfText('a'))).toBe(0xd24ec4f1a98c6e5bn);
    expect(xxh(bytesOfText('abc'))).toBe(0x44bc2cf5ad770999n);
    expect(xxh(bytesOfText('Nobody inspects the spammish repetition'))).toBe(0xfbcea83c8a378bf1n);
    for (const seed of [0, 1, 0x9e3779b1, 0xffffffff]) {
      fc.assert(
        fc.property(anyBytes, bytes => xxh(bytes, seed) === xxh64Reference(bytes, BigInt(seed))),
        options,
      );
    }
  });

  it('murmur64A with its plain text', () => {
    fc.assert(
      fc.property(anyBytes, bytes => murmur(bytes) === murmur64AReference(bytes)),
      options,
    );
  });

  it('fnv with the published values', () => {
    expect(fnv1a_32(bytesOfText('a'), 1)).toBe(0xe40c292c);
    expect(fnv1a_32(bytesOfText('foobar'), 6)).toBe(0xbf9cf968);
    expect(fnv1_32(bytesOfText('a'), 1)).toBe(0x050c5d7e);
    expect(fnv1_32(bytesOfText('foobar'), 6)).toBe(0x31f0b262);
  });

  it('djb2 and sdbm with their definitions', () => {
    fc.assert(
      fc.property(anyBytes, bytes => {
        const djb2 = bytes.reduce((hash, byte) => (hash * 33n + BigInt(byte)) % 2n ** 32n, 5381n);
        const sdbm = bytes.reduce((hash, byte) => (hash * 65599n + BigInt(byte)) % 2n ** 32n, 0n);
        expect(haproxyHashes.djb2(bytes, bytes.length)).toBe(Number(djb2));
        expect(haproxyHashes.sdbm(bytes, bytes.length)).toBe(Number(sdbm));
      }),
      options,
    );
  });
});

describe('hashOf', () => {
  it('takes a string for its UTF-8 bytes, lone surrogates as U+FFFD', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(hashOf(text, crc32)).toBe(hashOf(bytesOfText(text), crc32));
        expect(hashOf(text, crc32)).toBe(zlibCrc32(bytesOfText(text)));
      }),
      options,
    );
    for (const text of ['\ud800', 'a\udc00b', '\ud83d', '\ude00\ud83d', '🛒\ud800🛒']) {
      expect(hashOf(text, crc32)).toBe(zlibCrc32(bytesOfText(text)));
    }
  });

  it('reads keys of any length', () => {
    for (const length of [0, 1, 255, 256, 257, 10_000, 100_000]) {
      const text = 'k'.repeat(length);
      expect(hashOf(text, crc32)).toBe(zlibCrc32(text));
      expect(hashOf(`${text}é`, crc32)).toBe(zlibCrc32(`${text}é`));
    }
  });
});
