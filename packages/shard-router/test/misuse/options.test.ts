import { InvalidOptionError } from '@ashlar/core';
import { memoryStore } from '@ashlar/store';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { memoryShards, ShardRouter } from '../../src/index.ts';

const tables = {
  notes: {
    key: ['id'],
    primaryKey: ['id'],
    columns: { id: 'text', n: 'int4' },
    indexes: { n: { columns: ['n'] } },
  },
} as const;
const references = { kinds: { primaryKey: ['kind'], columns: { kind: 'text' } } } as const;
const store = memoryStore();
const router = new ShardRouter({
  shards: memoryShards(['one', 'two']),
  store,
  key: 'text',
  tables,
  references,
  twoPhase: true,
});
const notes = router.table('notes');

beforeAll(() => router.ready());
afterAll(async () => {
  await router.close();
  await store.close();
});

const all = notes.select().everywhere();
const calls: Readonly<Record<string, (scope: never) => Promise<unknown>>> = {
  'select.all': scope => notes.select().where({ id: 'a' }).all(scope),
  'select.first': scope => all.first(scope),
  'select.count': scope => all.count(scope),
  'select.page': scope => all.page({ size: 1 }, scope),
  'select.stream': scope => all.stream(scope).next(),
  'everywhere, partial': scope => all.all(scope && { onShardError: 'partial', ...(scope as object) }),
  'lookup.all': scope => all.lookup('others', notes.select(), { id: 'id' }).all(scope),
  'aggregate.all': scope =>
    notes
      .aggregate({ n: { count: '*' } })
      .everywhere()
      .all(scope),
  get: scope => notes.get({ id: 'a' }, scope),
  findBy: scope => notes.findBy('n', { n: 1 }, scope),
  insert: scope => notes.insert({ id: 'a' }, scope),
  'insert of nothing': scope => notes.insert([], scope),
  upsert: scope => notes.upsert({ id: 'a', n: 1 }, scope),
  update: scope => notes.update({ n: 1 }).where({ id: 'a' }).run(scope),
  'update of nothing': scope => notes.update({ n: 1 }).where('id', 'in', []).run(scope),
  delete: scope => notes.delete().everywhere().run(scope),
  'on.read': scope => router.on('a').read(async () => {}, scope),
  'on.write': scope => router.on('a').write(async () => {}, scope),
  'on.transaction': scope => router.on('a').transaction(async () => {}, scope),
  transaction: scope => router.transaction('a', async () => {}, scope),
  'transaction of several': scope =>
    router.transaction(['a', 'b', 'c'], async () => {}, scope && { twoPhase: true, ...(scope as object) }),
  'in a transaction': scope =>
    router.transaction('a', tx => tx.table('notes').select().where({ id: 'a' }).all(scope)),
  'reference.get': scope => router.reference('kinds').get({ kind: 'a' }, scope),
};

it.each(Object.entries(calls))(
  '%s refuses options that it does not know or cannot honor',
  async (_, call) => {
    const wrong = [
      { timeoutMs: -1 },
      { timeoutMs: 'soon' },
      { signal: new AbortController() },
      { session: {} },
      { consistency: 'strongly' }, // of a write no option at all
      { isolation: 7 },
      null,
    ];
    for (const scope of wrong) await expect(call(scope as never)).rejects.toThrow(InvalidOptionError);
    const misspelled = call({ timeoutms: 5 } as never);
    await expect(misspelled).rejects.toThrow('did you mean `timeoutMs`?');
  },
);

it('refuses a transaction or a call without work', async () => {
  const { transaction, on } = router as unknown as Record<string, (...args: unknown[]) => never>;
  const refused = [
    () => transaction!.call(router, 'a') as Promise<never>,
    () => transaction!.call(router, 'a', 'work') as Promise<never>,
    () => (on!.call(router, 'a') as { read(): Promise<never> }).read(),
  ];
  for (const call of refused) await expect(call()).rejects.toThrow(InvalidOptionError);
});
