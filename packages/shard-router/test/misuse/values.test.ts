import { InvalidOptionError } from '@ashlar/core';
import { memoryStore } from '@ashlar/store';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DuplicateRowError, InvalidValueError, memoryShards, ShardRouter } from '../../src/index.ts';

const tables = {
  notes: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'text', id: 'int8', data: 'jsonb' },
  },
} as const;
const references = { kinds: { primaryKey: ['kind'], columns: { kind: 'text', name: 'text' } } } as const;
const shards = memoryShards(['one']);
const store = memoryStore();
const router = new ShardRouter({ shards, store, key: 'text', tables, references });
const notes = router.table('notes');

beforeAll(() => router.ready());
afterAll(async () => {
  await router.close();
  await store.close();
});

it('a jsonb takes nothing that JSON makes something else of, and leaves out members that are undefined', async () => {
  const circle: Record<string, unknown> = {};
  circle['itself'] = circle;
  const lost: readonly (readonly [unknown, string])[] = [
    [new Date(0), 'a Date'],
    [{ at: [{ when: new Date(0) }] }, 'a Date at "when" at 0 at "at"'],
    [Number.NaN, 'NaN'],
    [{ n: Number.NaN }, 'NaN (number) at "n"'],
    [new Map(), 'a Map'],
    [[undefined], 'undefined at 0'],
    [{ n: 1n }, '1 (bigint) at "n"'],
    [{ toJSON: () => 1 }, 'a function at "toJSON"'],
    [circle, 'circular'],
    [{ text: '\ud800' }, 'without U+0000'],
  ];
  for (const [data, why] of lost) {
    const insert = notes.insert({ tenant: 'a', id: 1, data });
    await expect(insert).rejects.toThrow(InvalidValueError);
    await expect(notes.upsert({ tenant: 'a', id: 1, data })).rejects.toThrow(why);
  }
  await notes.insert({ tenant: 'a', id: 1, data: { kept: [null, 'x'], left: undefined } });
  const row = await notes.get({ tenant: 'a', id: 1 });
  expect(row!.data).toEqual({ kept: [null, 'x'] });
  expect(Object.keys(row!.data)).toEqual(['kept']);
});

it('get takes the primary key, whole and alone', async () => {
  const kinds = router.reference('kinds');
  const refused = [undefined, null, 'a', ['a'], { tenant: 'a' }, { tenant: 'a', id: 1, data: 1 }];
  for (const key of refused) await expect(notes.get(key as never)).rejects.toThrow(InvalidValueError);
  for (const key of [undefined, {}, { kind: 'a', name: 'b' }])
    await expect(kinds.get(key as never)).rejects.toThrow(InvalidValueError);
});

it('rows and values to set are objects', async () => {
  for (const row of [undefined, null, 'a', [null], 7])
    await expect(notes.insert(row as never)).rejects.toThrow(InvalidValueError);
  expect(() => notes.update(undefined as never)).toThrow(InvalidValueError);
  expect(() => notes.select().where(undefined as never)).toThrow(InvalidValueError);
});

it('an error for a row that is there says which', async () => {
  await notes.insert({ tenant: 'b', id: 7 });
  const again = notes.insert({ tenant: 'b', id: 7 });
  await expect(again).rejects.toThrow(DuplicateRowError);
  await expect(again).rejects.toThrow('Key (tenant, id)=(b, 7) already exists.');
});

it('names that cannot be kept are refused', () => {
  for (const names of [undefined, 'one', [], ['a', 'a'], ['']])
    expect(() => memoryShards(names as never)).toThrow(InvalidOptionError);
  for (const name of ['a/b', 'a\0', 'a\ud800', ''])
    expect(() => new ShardRouter({ shards, store, key: 'text', name })).toThrow(InvalidOptionError);
  const spec = { key: ['id'], primaryKey: ['id'], columns: { id: 'text' } } as const;
  const wrong = [
    { ['__proto__']: spec },
    { notes: { ...spec, columns: { id: 'text', ['__proto__']: 'text' } } },
  ] as const;
  for (const tables of wrong)
    expect(() => new ShardRouter({ shards, store, key: 'text', tables })).toThrow(InvalidOptionError);
});
