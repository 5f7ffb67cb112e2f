import { memoryStore } from '@ashlar/store';
import { expect, it, onTestFinished } from 'vitest';
import { InvalidQueryError, InvalidShardKeyError, memoryShards, ShardRouter } from '../../src/index.ts';

const tables = { notes: { key: ['id'], primaryKey: ['id'], columns: { id: 'text', n: 'int4' } } } as const;

it('await of a query that was not run does not compile, and rejects', async () => {
  const store = memoryStore();
  const router = new ShardRouter({ shards: memoryShards(['one']), store, key: 'text', tables });
  onTestFinished(async () => {
    await router.close();
    await store.close();
  });
  await router.ready();
  const notes = router.table('notes');
  const awaited = [
    // @ts-expect-error: no run()
    async () => void (await notes.update({ n: 1 }).where({ id: 'a' })),
    // @ts-expect-error
    async () => void (await notes.delete().where({ id: 'a' })),
    // @ts-expect-error: no all()
    async () => void (await notes.select().where({ id: 'a' })),
    // @ts-expect-error
    async () => void (await notes.aggregate({ n: { count: '*' } }).everywhere()),
    // @ts-expect-error
    async () => void (await notes.select().lookup('others', notes.select(), { id: 'id' })),
  ];
  for (const call of awaited) await expect(call()).rejects.toThrow(InvalidQueryError);
});

it('a key of another type than that of the map does not compile, and is refused', async () => {
  const store = memoryStore();
  const router = new ShardRouter({ shards: memoryShards(['one']), store, key: ['text', 'int8'] });
  const single = new ShardRouter({ shards: memoryShards(['one']), store, key: 'text', name: 'single' });
  onTestFinished(async () => {
    await router.close();
    await single.close();
    await store.close();
  });
  await router.ready();
  await single.ready();
  router.route(['a', 1n]);
  single.on('a');
  const wrong = [
    // @ts-expect-error: a number
    () => single.route(7),
    // @ts-expect-error
    () => single.on(7),
    // @ts-expect-error
    () => single.explain(['a']),
    // @ts-expect-error: the other way round
    () => router.route([1, 'a']),
  ];
  for (const call of wrong) expect(call).toThrow(InvalidShardKeyError);
  // @ts-expect-error
  await expect(single.transaction(7, async () => {})).rejects.toThrow(InvalidShardKeyError);
  const any: ShardRouter<unknown> = single; // as programs name it that do not know the key
  expect(any.route('a').shard).toBe('one');
});
