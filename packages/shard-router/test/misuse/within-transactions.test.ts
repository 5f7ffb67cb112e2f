import { memoryStore } from '@ashlar/store';
import { PGlite } from '@electric-sql/pglite';
import { expect, it, onTestFinished } from 'vitest';
import { pgliteShard } from '../../src/adapters/pglite.ts';
import { memoryShards, NestedCallError, ShardRouter, TransactionOverError } from '../../src/index.ts';

const tables = { notes: { key: ['id'], primaryKey: ['id'], columns: { id: 'text', n: 'int4' } } } as const;

async function routerOf<C>(shards: ConstructorParameters<typeof ShardRouter<C, typeof tables>>[0]['shards']) {
  const store = memoryStore();
  const router = new ShardRouter({ shards, store, key: 'text', tables });
  onTestFinished(async () => {
    await router.close();
    await store.close();
  });
  await router.ready();
  return router;
}

it('a call past the transaction on a memory shard, which would wait for it for ever, is refused at once', async () => {
  const router = await routerOf(memoryShards(['one']));
  const notes = router.table('notes');
  const past = [
    () => notes.insert({ id: 'a', n: 1 }),
    () => notes.update({ n: 2 }).where({ id: 'a' }).run(),
    () => router.transaction('b', async () => {}),
  ];
  for (const call of past) {
    const nested = router.transaction('a', async () => {
      await call();
    });
    await expect(nested).rejects.toThrow(NestedCallError);
  }
  const through = router.transaction('a', async tx => {
    expect(await notes.get({ id: 'a' })).toBeUndefined(); // a read waits for nobody
    await tx.table('notes').insert({ id: 'a', n: 1 });
  });
  await through;
  // What began within it, and waits until it is over, is not within it any more
  let later: Promise<number> | undefined;
  await router.transaction('a', async () => {
    later = new Promise(resolve => setTimeout(resolve, 20)).then(() => notes.insert({ id: 'b' }));
  });
  expect(await later).toBe(1);
});

it('what a transaction left running is refused when it is over', async () => {
  const router = await routerOf(memoryShards(['one']));
  let left: (() => Promise<unknown>)[] = [];
  await router.transaction('a', async tx => {
    const notes = tx.table('notes');
    left = [
      () => notes.insert({ id: 'a' }),
      () => notes.select().where({ id: 'a' }).all(),
      () => tx.table('notes').get({ id: 'a' }),
      () => tx.table('notes').delete().where({ id: 'a' }).run(),
      async () => tx.client,
      async () => tx.on('a'),
    ];
  });
  for (const call of left) await expect(call()).rejects.toThrow(TransactionOverError);
});

it('a call past the transaction on a PGlite shard is refused at once', async () => {
  const db = await PGlite.create();
  await db.exec('CREATE TABLE notes (id text PRIMARY KEY, n int4)');
  onTestFinished(() => db.close());
  const router = await routerOf({ one: pgliteShard({ db }) });
  const notes = router.table('notes');
  for (const call of [() => notes.insert({ id: 'a' }), () => notes.get({ id: 'a' })]) {
    const nested = router.transaction('a', async () => {
      await call();
    });
    await expect(nested).rejects.toThrow(NestedCallError);
  }
  expect(await notes.insert({ id: 'a' })).toBe(1);
}, 120_000);
