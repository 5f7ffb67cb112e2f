import { type Postgres, startPostgres } from '@workspace/services';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { idOf, slotOfId } from '../src/ids/id.ts';
import { InvalidShardKeyError, idSlotSql } from '../src/index.ts';
import type { KeyType, ShardKey } from '../src/keys/key-column.ts';
import { Slots } from '../src/keys/slots.ts';

describe('slots of keys', () => {
  let server: Postgres;
  let client: pg.Client;

  beforeAll(async () => {
    server = await startPostgres();
    client = new pg.Client(server.url);
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  const edges = [0n, -1n, 1n, 2n ** 31n, -(2n ** 31n) - 1n, 2n ** 53n - 1n, -(2n ** 63n), 2n ** 63n - 1n];
  const text = fc.string({ unit: 'binary', maxLength: 40 }).filter(each => !each.includes('\0'));
  const samples = (of: fc.Arbitrary<ShardKey>) => fc.sample(of, { numRuns: 500, seed: 7 });
  const kinds: readonly (readonly [KeyType & string, readonly ShardKey[]])[] = [
    ['int8', [...edges, ...samples(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))]],
    [
      'text',
      [
        'x'.repeat(100),
        'x'.repeat(101),
        `${'x'.repeat(98)}ä`,
        '',
        'a',
        'ä',
        '€'.repeat(5),
        '😀'.repeat(700),
        ...samples(text),
      ],
    ],
    ['uuid', samples(fc.uuid())],
  ];

  it.each(kinds)('%s: are where PostgreSQL computes them', async (type, keys) => {
    const slots = new Slots(type, 4_096);
    const { rows } = await client.query({
      text: `SELECT ${slots.sql(['key'])}::int FROM unnest($1::${type}[]) WITH ORDINALITY AS each (key, n) ORDER BY n`,
      values: [keys.map(String)],
      rowMode: 'array',
    });
    expect(keys.map(key => slots.of(key))).toEqual(rows.flat());
  });

  it('of several columns are where PostgreSQL computes them', async () => {
    const slots = new Slots(['text', 'int8', 'uuid'], 1_024);
    const keys = fc.sample(fc.tuple(text, fc.maxSafeInteger(), fc.uuid()), { numRuns: 500, seed: 7 });
    const columns = [0, 1, 2].map(i => keys.map(key => String(key[i])));
    const { rows } = await client.query({
      text: `SELECT ${slots.sql(['a', 'b', 'c'])}::int
        FROM unnest($1::text[], $2::int8[], $3::uuid[]) WITH ORDINALITY AS each (a, b, c, n) ORDER BY n`,
      values: columns,
      rowMode: 'array',
    });
    expect(keys.map(key => slots.of(key))).toEqual(rows.flat());
  });

  it('of ids are where PostgreSQL computes them', async () => {
    const ids = [0, 1, 511, 1_024, 4_095].map(slot => idOf(2 ** 41 - 1, slot, 1_023));
    const { rows } = await client.query({
      text: `SELECT ${idSlotSql('id', 1_024)}::int FROM unnest($1::int8[]) WITH ORDINALITY AS each (id, n) ORDER BY n`,
      values: [ids.map(String)],
      rowMode: 'array',
    });
    expect(rows.flat()).toEqual(ids.map(id => slotOfId(id) % 1_024));
  });
});

describe('keys', () => {
  it('are the same as number and as bigint, and in both cases of a UUID', () => {
    const slots = new Slots('int8', 1_024);
    for (const n of [0, -0, -1, 7, 2 ** 40, -(2 ** 45), Number.MIN_SAFE_INTEGER]) {
      expect(slots.of(n)).toBe(slots.of(BigInt(n)));
    }
    const id = '0198f3a1-7b5c-7def-8abc-0123456789ab';
    expect(new Slots('uuid', 1_024).of(id)).toBe(new Slots('uuid', 1_024).of(id.toUpperCase()));
  });

  it('spread evenly', () => {
    for (const [type, keyOf] of [
      ['int8', n => n],
      ['text', n => `user-${n}`],
    ] as [KeyType, (n: number) => ShardKey][]) {
      const slots = new Slots(type, 16);
      const counts = Array(16).fill(0);
      for (let n = 0; n < 16_000; n++) counts[slots.of(keyOf(n))]++;
      // Six deviations of a fair throw
      for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(190);
    }
  });

  it.each([
    ['int8', 1.5],
    ['int8', 2 ** 53],
    ['int8', 2n ** 63n],
    ['int8', '7'],
    ['int8', null],
    ['int8', undefined],
    ['int8', Number.NaN],
    ['text', 7],
    ['text', null],
    ['text', 'a\0b'],
    ['text', '\ud83d'],
    ['uuid', 'no'],
    ['uuid', '0198f3a1-7b5c-7def-8abc-0123456789ag'],
    ['uuid', 'g198f3a1-7b5c-7def-8abc-0123456789ab'],
    ['uuid', '0198f3a17-b5c-7def-8abc-0123456789ab'],
    ['uuid', '0198f3a1-7b5c-7def-8abc-0123456789a\u0161'],
    ['uuid', '0198f3a1-7b5c-7def-8abc-0123456789abc'],
    ['uuid', '{0198f3a1-7b5c-7def-8abc-0123456789ab}'],
    [['int8', 'text'], 7],
    [['int8', 'text'], [7]],
    [
      ['int8', 'text'],
      [7, null],
    ],
    [
      ['int8', 'text'],
      [7, 'a', 'b'],
    ],
  ] as [KeyType, unknown][])('of another type are refused: %s, %s', (type, key) => {
    expect(() => new Slots(type, 1_024).of(key as ShardKey)).toThrow(InvalidShardKeyError);
  });

  it('are no UUID with a character that does not belong there, wherever it is', () => {
    const slots = new Slots('uuid', 1_024);
    const id = '0198f3a1-7b5c-7def-8abc-0123456789ab';
    for (const at of [...id].keys()) {
      const others = id[at] === '-' ? '0aA\u012d' : '-gG/:@`\0\u0131\ud83d';
      for (const other of others) {
        const wrong = `${id.slice(0, at)}${other}${id.slice(at + 1)}`;
        expect(() => slots.of(wrong), wrong).toThrow(InvalidShardKeyError);
      }
    }
    expect(slots.of(id)).toBeTypeOf('number'); // After all the wrong ones
  });
});
