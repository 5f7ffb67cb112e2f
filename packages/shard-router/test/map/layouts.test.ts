import { type Postgres, startPostgres } from '@workspace/services';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UnplacedKeyError } from '../../src/errors/routing.ts';
import type { KeyType, ShardKey } from '../../src/keys/key-column.ts';
import { Slots } from '../../src/keys/slots.ts';
import { firstMap, type LayoutSpec } from '../../src/map/first-map.ts';
import { faultOf } from '../../src/map/map-fault.ts';
import { ownersOf, type ShardMap } from '../../src/map/shard-map.ts';
import { Impossible } from '../../src/moves/parts/impossible.ts';
import { withJoin } from '../../src/moves/parts/joining.ts';
import { withBound, withOwnSlot } from '../../src/moves/parts/parting.ts';
import { parted } from '../../src/moves/planner.ts';

const shards = ['a', 'b', 'c'];
const ranges = (
  parts: readonly (readonly [from?: ShardKey | undefined, to?: ShardKey | undefined, shard?: string])[],
): LayoutSpec => ({
  kind: 'range',
  parts: parts.map(([from, to, shard = 'a']) => ({
    shard,
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  })),
});
const slotsOf = (map: ShardMap) => new Slots(map.key, map.slots, map);
const ownerOf = (map: ShardMap, key: ShardKey) => ownersOf(map)[slotsOf(map).of(key)];

describe('ranges of keys', () => {
  it('are refused when they leave a gap or overlap, before there is a map', () => {
    const first = (layout: LayoutSpec, key: KeyType = 'text') => firstMap(key, 16, shards, layout);
    expect(() => first(ranges([[undefined, 'g'], ['m']]))).toThrow('no shard for the keys from "g" to "m"');
    expect(() => first(ranges([[undefined, 'm'], ['g']]))).toThrow('two shards for the keys from "g" on');
    expect(() => first(ranges([['b']]))).toThrow('no shard for the keys from the first key to "b"');
    expect(() => first(ranges([[undefined, 'b']]))).toThrow('from "b" to the last key');
    expect(() => first(ranges([[], []]))).toThrow('two shards');
    expect(() => first(ranges([[undefined, 'b'], ['b', 'a'], ['b']]))).toThrow('`layout`');
    expect(() =>
      first(
        ranges([
          [undefined, 'b', 'a'],
          ['b', undefined, 'x'],
        ]),
      ),
    ).toThrow('a, b, c');
    expect(() => first(ranges([[undefined, 'b'], ['b']]), 'int8')).toThrow('layout.parts[0].to');
    expect(() => first(ranges([[undefined, 'b'], ['b']]), ['text', 'int8'])).toThrow('of 2 columns');
    expect(() =>
      first({
        kind: 'directory',
        entries: [
          { key: 'x', shard: 'a' },
          { key: 'x', shard: 'b' },
        ],
      }),
    ).toThrow('twice');
    expect(() => first({ kind: 'directory', entries: [] })).toThrow('entries');
  });

  it('are taken in any order, and are in the order of the database', () => {
    const map = firstMap(
      'int8',
      16,
      shards,
      ranges([
        [10, undefined, 'c'],
        [undefined, -5, 'a'],
        [-5, 10, 'b'],
      ]),
    );
    expect(map).toMatchObject({ slots: 3, ranges: [{ shard: 'a' }, { shard: 'b' }, { shard: 'c' }] });
    expect([-6, -5, 9n, 10, 2n ** 63n - 1n].map(key => ownerOf(map, key))).toEqual(['a', 'b', 'b', 'c', 'c']);
    const texts = firstMap(
      'text',
      16,
      shards,
      ranges([
        [undefined, '\ue000', 'a'],
        ['\ue000', undefined, 'b'],
      ]),
    );
    // Of UTF-16, the other way round
    expect([ownerOf(texts, '\ud7ff'), ownerOf(texts, '😀')]).toEqual(['a', 'b']);
    expect(faultOf(map)).toBeUndefined();
  });

  it('are cut for good: what was one slot is two others, and the numbers of the fences stay right', () => {
    const map = firstMap(
      'text',
      16,
      shards,
      ranges([
        [undefined, 'm', 'a'],
        ['m', undefined, 'b'],
      ]),
    );
    const cut = withBound(map, 'g');
    expect([slotsOf(cut).of('a'), slotsOf(cut).of('g'), slotsOf(cut).of('z')]).toEqual([2, 3, 1]);
    expect(slotsOf(cut).live([0])).toEqual([2, 3]);
    expect(slotsOf(cut).isRetired(0)).toBe(true);
    expect(withBound(cut, 'g')).toBe(cut);
    expect(withBound(cut, 'm')).toBe(cut);
    const twice = withOwnSlot(withBound(cut, 'i'), 'h', undefined);
    expect(slotsOf(twice).live([0])).toEqual([2, 5, 6, 7]);
    expect(slotsOf(twice).inOrder()).toEqual([2, 6, 7, 5, 1]);
    expect(slotsOf(twice).isAlone('h')).toBe(true);
    expect(withOwnSlot(twice, 'h', 'b')).toBe(twice);
    expect(slotsOf(twice).words(7)).toBe('the keys before "m", from "g", before "i", the key "h" alone');
    expect(faultOf(twice)).toBeUndefined();
    expect(() => withBound(firstMap('text', 16, shards), 'g')).toThrow('not in slots by range');
  });

  it('are found damaged', () => {
    const map = withBound(
      firstMap(
        'text',
        16,
        shards,
        ranges([
          [undefined, 'm', 'a'],
          ['m', undefined, 'b'],
        ]),
      ),
      'g',
    );
    const bad = (change: object) => faultOf({ ...map, ...change });
    expect(bad({ cuts: [] })).toContain('bounds');
    expect(bad({ cuts: [{ ...map.cuts![0], into: [2, 2] }] })).toContain('cannot be');
    expect(bad({ cuts: [{ ...map.cuts![0], at: [7] }] })).toContain('no key');
    expect(bad({ layout: { kind: 'range', bounds: [['b'], ['a']] }, slots: 5 })).toContain('not in order');
    expect(bad({ layout: { kind: 'list' } })).toContain('"list"');
    expect(bad({ slots: 9_000 })).toBe('has no number of slots');
    const moves = [{ id: 'm', from: 'a', to: 'b', slices: [{ from: 0, to: 1 }], step: 'copy', token: '0' }];
    expect(bad({ moves })).toContain('which was cut');
  });
});

describe('a directory', () => {
  const layout = (rest?: string): LayoutSpec => ({
    kind: 'directory',
    entries: [
      { key: 'acme', shard: 'a' },
      { key: 'globex', shard: 'b' },
    ],
    ...(rest !== undefined && { rest }),
  });

  it('has a shard for each key, and for the rest or for nobody', () => {
    const map = firstMap('text', 16, shards, layout('c'));
    expect(['acme', 'globex', 'other'].map(key => ownerOf(map, key))).toEqual(['a', 'b', 'c']);
    const strict = firstMap('text', 16, shards, layout());
    expect(() => ownerOf(strict, 'other')).toThrow(UnplacedKeyError);
    const more = parted(strict, { kind: 'place', key: 'other', to: 'c' });
    expect(more.moves).toEqual([]);
    expect(ownerOf(more.map, 'other')).toBe('c');
    expect(faultOf(more.map)).toBeUndefined();
  });

  it('takes a key out of the rest', () => {
    const map = firstMap('text', 16, shards, layout('c'));
    const { map: own, moves } = parted(map, { kind: 'place', key: 'initech', to: 'a' });
    expect(moves).toEqual([{ from: 'c', to: 'a', slices: [{ from: 4, to: 5 }] }]);
    expect([slotsOf(own).of('initech'), slotsOf(own).of('other')]).toEqual([4, 3]);
    expect(parted(map, { kind: 'place', key: 'acme', to: 'b' })).toMatchObject({
      map,
      moves: [{ from: 'a', to: 'b', slices: [{ from: 0, to: 1 }] }],
    });
  });
});

describe('the isolation of a key', () => {
  it('leaves it alone on its shard, without moving what is in nobody’s way', () => {
    const map = firstMap('text', 8, ['a', 'b', 'c']);
    const owner = ownerOf(map, 'acme')!;
    const { map: own, moves } = parted(map, { kind: 'isolate', key: 'acme' });
    const owners = ownersOf(own);
    for (const { from, to, slices } of moves) {
      expect(from).toBe(owner);
      for (const { from: slot, to: end } of slices) owners.fill(to, slot, end);
    }
    const live = slotsOf(own).inOrder();
    expect(live.filter(slot => owners[slot] === owner)).toEqual([slotsOf(own).of('acme')]);
    const empty = parted(map, { kind: 'isolate', key: 'acme', to: 'd' });
    expect(empty.moves).toEqual([{ from: owner, to: 'd', slices: [{ from: 9, to: 10 }] }]);
    expect(() => parted(firstMap('text', 8, ['a']), { kind: 'isolate', key: 'acme' })).toThrow(
      'no shard but a',
    );
  });
});

describe('slots that are not by hash alone', () => {
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

  const text = fc.string({ unit: 'binary', maxLength: 4 }).filter(each => !each.includes('\0'));
  const sample = <T>(of: fc.Arbitrary<T>) => fc.sample(of, { numRuns: 200, seed: 11 });
  const tight = fc.integer({ min: -20, max: 20 });
  const tuples = sample(fc.tuple(fc.constantFrom('a', 'b', "it's", '\\'), tight));
  const cases: readonly (readonly [string, KeyType, readonly ShardKey[], ShardMap])[] = [
    [
      'ranges of int8',
      'int8',
      [...sample(tight), -(2n ** 63n), 2n ** 63n - 1n],
      firstMap('int8', 1, shards, ranges([[undefined, -7], [-7, 8], [8]])),
    ],
    [
      'ranges of text',
      'text',
      [...sample(text), 'b', 'b\\', "b'"],
      firstMap('text', 1, shards, ranges([[undefined, '\\'], ['\\', "b'"], ["b'", '\ue000'], ['\ue000']])),
    ],
    [
      'ranges of uuid',
      'uuid',
      sample(fc.uuid()),
      firstMap(
        'uuid',
        1,
        shards,
        ranges([
          [undefined, '80000000-0000-0000-0000-000000000000'],
          ['80000000-0000-0000-0000-000000000000'],
        ]),
      ),
    ],
    [
      'ranges of two columns',
      ['text', 'int8'],
      tuples,
      firstMap(
        ['text', 'int8'],
        1,
        shards,
        ranges([
          [undefined, ['a', 3]],
          [
            ['a', 3],
            ["it's", -2],
          ],
          [["it's", -2]],
        ]),
      ),
    ],
    [
      'a directory',
      'text',
      tuples.map(([key]) => key),
      firstMap('text', 1, shards, {
        kind: 'directory',
        entries: [
          { key: "it's", shard: 'a' },
          { key: '\\', shard: 'b' },
        ],
        rest: 'c',
      }),
    ],
    [
      'a directory of two columns',
      ['text', 'int8'],
      tuples,
      firstMap(['text', 'int8'], 1, shards, {
        kind: 'directory',
        entries: [
          { key: ['a', 0], shard: 'a' },
          { key: ['\\', 1], shard: 'b' },
        ],
        rest: 'c',
      }),
    ],
    ['a hash', ['text', 'int8'], tuples, firstMap(['text', 'int8'], 8, shards)],
  ];

  /** First bounds, which are joined too. */
  const bounds: Readonly<Record<string, readonly ShardKey[]>> = { int8: [-7], text: ["b'"] };
  const joinedAt = (map: ShardMap, key: ShardKey) => {
    try {
      return withJoin(map, key);
    } catch (error) {
      // Both sides are cut
      if (error instanceof Impossible) return map;
      throw error;
    }
  };

  it.each(cases)(
    '%s: are where PostgreSQL computes them, also when they are cut and joined',
    async (_, type, keys, first) => {
      let map = withOwnSlot(withOwnSlot(first, keys[0]!, undefined), keys[50]!, undefined);
      if (map.layout?.kind === 'range')
        for (const key of keys.slice(51, 60)) if (!slotsOf(map).isAlone(key)) map = withBound(map, key);
      // All on one shard, and some of them joined
      map = { ...map, ranges: [{ from: 0, shard: 'a' }] };
      for (const key of [keys[0]!, ...keys.slice(51, 55), ...(bounds[type as string] ?? [])])
        map = joinedAt(map, key);
      expect(map.slots).toBeGreaterThan(first.slots);
      expect(faultOf(map)).toBeUndefined();
      const slots = slotsOf(map);
      const types = typeof type === 'string' ? [type] : type;
      const columns = types.map((_, i) => `k${i}`);
      const among = slots
        .inOrder()
        .map(slot => `(${slots.amongSql(columns, [{ from: slot, to: slot + 1 }])})::int`);
      const { rows } = await client.query({
        text: `SELECT ${slots.sql(columns)}::int, ${among.join(' + ')}, (${slots.amongSql(columns, [{ from: 0, to: first.slots }])})
        FROM unnest(${types.map((each, i) => `$${i + 1}::${each}[]`)}) WITH ORDINALITY AS each (${columns}, n) ORDER BY n`,
        values: types.map((_, i) => keys.map(key => String(Array.isArray(key) ? key[i] : key))),
        rowMode: 'array',
      });
      expect(rows).toEqual(keys.map(key => [slots.of(key), 1, true]));
    },
  );
});
