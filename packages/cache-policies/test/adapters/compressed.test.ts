import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { deflateSync } from 'node:zlib';
import { seededRandom } from '@ashlar/core';
import { memoryStore } from '@ashlar/store';
import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { compressed } from '../../src/adapters/compressed.ts';
import { redisTier } from '../../src/adapters/redis.ts';
import {
  DecompressError,
  jsonSerializer,
  memoryTier,
  type RemoteTier,
  type Serializer,
  type TierFailedMessage,
  writeBehind,
} from '../../src/index.ts';
import { manualCache } from '../support/caches.ts';
import { InvalidOptionErrorOf } from '../support/faces.ts';

const raw: Serializer<Uint8Array> = { encode: bytes => bytes, decode: bytes => bytes };
const json = jsonSerializer<unknown>();
const long = { items: Array.from({ length: 500 }, (_, id) => ({ id, name: `item ${id % 7}` })) };
const mark = 0xc1;

function bytesOf(...parts: readonly (number | Uint8Array)[]): Uint8Array {
  return Buffer.concat(parts.map(part => (typeof part === 'number' ? Uint8Array.of(part) : part)));
}

describe('compressed', () => {
  it('gives back every value, whatever it begins with, and never makes one longer by more than a byte', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 40 }).map(rest => bytesOf(mark, rest)),
      fc.uint8Array({ maxLength: 40 }).map(rest => bytesOf(mark, 0x78, rest)),
      fc.tuple(fc.nat(255), fc.nat(5_000)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
    );
    const options = fc.record({
      overBytes: fc.constantFrom(0, 16, 1_000),
      asyncOverBytes: fc.constantFrom(0, 100, 1e6),
      level: fc.constantFrom(1, 6, 9),
    });
    await fc.assert(
      fc.asyncProperty(bytes, options, async (value, chosen) => {
        const serializer = compressed(raw, chosen);
        const stored = await serializer.encode(value);
        expect(stored.length).toBeLessThanOrEqual(value.length + 1);
        expect(Buffer.from(await serializer.decode(stored)).equals(value)).toBe(true);
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  it('compresses only what is long and becomes shorter', async () => {
    const serializer = compressed(json, { overBytes: 100 });
    const stored = await serializer.encode(long);
    expect(stored[0]).toBe(mark);
    expect(stored.length).toBeLessThan((await json.encode(long)).length / 4);
    expect(await serializer.decode(stored)).toEqual(long);
    const text = JSON.stringify('x'.repeat(98));
    expect(Buffer.from(await serializer.encode('x'.repeat(98))).toString()).toBe(text);
    expect((await serializer.encode('x'.repeat(99)))[0]).toBe(mark);
    const random = seededRandom(3);
    const incompressible = Uint8Array.from({ length: 5_000 }, (_, at) => (at === 0 ? 1 : 256 * random()));
    expect(await compressed(raw, { overBytes: 0 }).encode(incompressible)).toBe(incompressible);
  });

  it('reads what was stored without compression', async () => {
    for (const value of [long, 'text', 5, null, [], true]) {
      expect(await compressed(json, { overBytes: 0 }).decode(await json.encode(value))).toEqual(value);
    }
  });

  it.each([{}, { asyncOverBytes: 0 }])('no damage gives another value: %j', async options => {
    const serializer = compressed(json, { overBytes: 100, ...options });
    const stored = await serializer.encode({ items: long.items.slice(0, 30) });
    const value = await serializer.decode(stored);
    let refused = 0;
    const attempt = async (bytes: Uint8Array) => {
      try {
        expect(await serializer.decode(bytes)).toEqual(value); // bits that say nothing
      } catch (error) {
        refused++;
        if (bytes[0] === mark) expect(error).toBeInstanceOf(DecompressError);
      }
    };
    for (let at = 0; at < stored.length; at++) {
      const flipped = Uint8Array.from(stored);
      flipped[at]! ^= 1 << (at % 8);
      await attempt(flipped);
      await attempt(stored.subarray(0, at));
    }
    expect(refused).toBeGreaterThan(1.98 * stored.length);
  });

  it.each([0, 1e9])('is bounded: neither writes nor unpacks what is longer (asyncOverBytes %d)', async at => {
    const small = compressed(raw, { maxBytes: 10_000, overBytes: 0, asyncOverBytes: at });
    const most = new Uint8Array(10_000);
    expect((await small.decode(await small.encode(most))).length).toBe(10_000);
    await expect(small.encode(new Uint8Array(10_001))).rejects.toThrow(
      '10001 bytes, more than `maxBytes`, 10000',
    );
    const bomb = bytesOf(mark, deflateSync(new Uint8Array(50_000_000)));
    const decoding = small.decode(bomb);
    await expect(decoding).rejects.toMatchObject({
      code: 'ASHLAR_CACHE_POLICIES_DECOMPRESS',
      message: `a compressed value of ${bomb.length} bytes becomes longer than \`maxBytes\`, 10000`,
    });
    await expect(small.decode(bytesOf(mark, 0x28, 0xb5))).rejects.toThrow(
      'cannot be read: it is of no known form',
    );
  });

  it.each([
    [{ overBytes: -1 }, '`overBytes` must be an integer of at least 0, got -1 (number)'],
    [{ level: 10 }, '`level` must be an integer of at least 1 and at most 9'],
    [{ maxBytes: 0 }, '`maxBytes` must be'],
    [{ asyncOverBytes: 1.5 }, '`asyncOverBytes` must be'],
    [{ over: 5 }, 'compressed has no option `over`; it takes overBytes, level'],
    [{ overBytes: '4kB' }, '`overBytes` must be an integer of at least 0, got "4kB"'],
    [{ level: null }, '`level` must be an integer of at least 1 and at most 9, got null'],
    [4_096, 'compressed takes an object of options, got 4096 (number)'],
    [null, 'compressed takes an object of options, got null'],
  ])('refuses %j', (options, message) => {
    expect(() => compressed(json, options as never)).toThrow(InvalidOptionErrorOf(message));
  });

  it.each([undefined, null, 'json', { overBytes: 5 }, jsonSerializer])(
    'needs a serializer, not %o',
    inner => {
      expect(() => compressed(inner as never)).toThrow(
        InvalidOptionErrorOf('write `compressed(jsonSerializer())`'),
      );
    },
  );

  it('serves a journal too, and nothing else without a tier', async () => {
    const store = memoryStore();
    const write = writeBehind<string, object>({ write: async () => {}, journal: { store, prefix: 'j:' } });
    const { cache } = manualCache<string, object>({
      write,
      serializer: compressed(json as Serializer<object>),
    });
    await cache.set('a', long);
    const lengths: number[] = [];
    for await (const { key, value } of store.list('"j:"')) if (key.endsWith(':a')) lengths.push(value.length);
    expect(lengths).toEqual([expect.any(Number)]);
    expect(lengths[0]).toBeLessThan(3_000);
    expect(() => manualCache({ serializer: jsonSerializer() })).toThrow('needs a `remote` tier or a journal');
  });
});

/** Caches of one tier, of which some compress; with what failed. */
function fleet(tier: RemoteTier) {
  const failed: TierFailedMessage[] = [];
  const listener = (message: unknown) => failed.push(message as TierFailedMessage);
  subscribe('ashlar:cache-policies:tier-failed', listener);
  onTestFinished(() => void unsubscribe('ashlar:cache-policies:tier-failed', listener));
  const cacheWith = (serializer: Serializer<object>) => {
    let loads = 0;
    const load = async () => ({ ...long, load: ++loads });
    return manualCache<string, object>({ remote: tier, serializer, load }).cache;
  };
  const plain = json as Serializer<object>;
  return { cacheWith, failed, plain, zipped: () => compressed(plain) };
}

/** What is loaded reaches the tier after its reader. */
function stored(tier: RemoteTier, key: string): Promise<void> {
  return expect.poll(() => tier.get(key), { timeout: 20_000 }).toBeDefined();
}

function storing(tiers: () => RemoteTier) {
  it('stores little, and is read by the others', async () => {
    const tier = tiers();
    const { cacheWith, failed, zipped } = fleet(tier);
    const value = await cacheWith(zipped()).get('a');
    await stored(tier, 'a');
    expect((await tier.get('a'))!.length).toBeLessThan(3_000);
    const other = cacheWith(zipped());
    expect(await other.get('a')).toEqual(value);
    expect(other.snapshot()).toMatchObject({ loads: 0 });
    expect(failed).toEqual([]);
  });

  it('reads what an older process stored plain; which loads again what it cannot read', async () => {
    const tier = tiers();
    const { cacheWith, failed, plain, zipped } = fleet(tier);
    const value = await cacheWith(plain).get('a');
    await stored(tier, 'a');
    expect(await cacheWith(zipped()).get('a')).toEqual(value);
    expect(failed).toEqual([]);
    await cacheWith(zipped()).get('b');
    await stored(tier, 'b');
    expect(await cacheWith(plain).get('b')).toEqual(value);
    expect(failed.map(({ operation }) => operation)).toEqual(['decode']);
  });

  it('takes damage for a miss, publishes it, and replaces what is damaged', async () => {
    const tier = tiers();
    const { cacheWith, failed, zipped } = fleet(tier);
    const session = tier.open({ invalidated: () => {}, reset: () => {}, connection: () => {} });
    const damaged = Uint8Array.from(await zipped().encode(long));
    damaged[damaged.length >> 1]! ^= 0x10;
    const entry = { value: damaged, freshMs: 60_000, keepMs: 60_000, costMs: 0, tags: [] };
    await session.write(new Map([['a', entry]]));
    const cache = cacheWith(zipped());
    expect(await cache.get('a')).toMatchObject({ load: 1 });
    expect(cache.snapshot()).toMatchObject({ loads: 1 });
    expect(failed.map(({ operation, error }) => [operation, (error as { code?: string }).code])).toEqual([
      ['decode', 'ASHLAR_CACHE_POLICIES_DECOMPRESS'],
    ]);
    const isMended = async () => Buffer.compare((await tier.get('a')) ?? damaged, damaged) !== 0;
    await expect.poll(isMended, { timeout: 20_000 }).toBe(true);
    const other = cacheWith(zipped());
    expect(await other.get('a')).toMatchObject({ load: 1 });
    expect(other.snapshot()).toMatchObject({ loads: 0 });
    expect(failed).toHaveLength(1);
    await session.close();
  });
}

describe('a cache with compressed values, over memoryTier', () => storing(() => memoryTier()));

describeWith('redis', 'a cache with compressed values, over Redis', () => {
  let server: Server;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    redis = new Redis(server.port);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });
  storing(() => redisTier({ redis, prefix: randomUUID() }));
});
