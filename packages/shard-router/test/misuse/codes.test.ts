import type { Executor } from '@ashlar/replica-failover/executor';
import { memoryStore } from '@ashlar/store';
import { expect, it, onTestFinished } from 'vitest';
import { memoryShards, ShardRouter } from '../../src/index.ts';
import { Branch } from '../../src/two-phase/branch.ts';
import { gidOf, newId } from '../../src/two-phase/names.ts';
import { Recovery } from '../../src/two-phase/recovery.ts';

it('a part of a transaction whose executor runs the work again is told by a code', async () => {
  const { one } = memoryShards(['one']);
  const again: Executor<unknown> = {
    ...(one as Executor<unknown>),
    transaction: work =>
      one.transaction(async client => {
        void work(client).catch(() => {});
        return work(client);
      }),
  };
  const branch = await Branch.open('one', again, false, {});
  await expect(branch.prepare('part')).rejects.toMatchObject({
    code: 'ASHLAR_SHARD_ROUTER_SHARD_FAILED',
    shard: 'one',
  });
});

it('a part whose verdict is on a shard that the router does not have is told by a code', async () => {
  const { two } = memoryShards(['two']);
  const branch = await Branch.open('two', two as Executor<unknown>, false, {});
  await branch.prepare(gidOf('shards', newId('one', Date.now()), 'two'));
  const { settled, failed } = await new Recovery('shards', { two: two as Executor<unknown> }).run(0);
  expect(settled).toEqual([]);
  expect(failed).toMatchObject([
    {
      shard: 'two',
      error: { code: 'ASHLAR_SHARD_ROUTER_MAP', message: expect.stringContaining('shard one') },
    },
  ]);
});

it('a reference table of which no shard has the newest version is told by a code', async () => {
  const store = memoryStore();
  const references = {
    countries: { primaryKey: ['code'], columns: { code: 'text', name: 'text' } },
  } as const;
  const routerOf = () => {
    const router = new ShardRouter({ shards: memoryShards(['one', 'two']), store, key: 'text', references });
    onTestFinished(() => router.close());
    return router;
  };
  onTestFinished(() => store.close());
  const before = routerOf();
  await before.ready();
  for (const name of ['Austria', 'Österreich'])
    await before.reference('countries').upsert({ code: 'at', name });
  // Databases that have lost all they had
  const after = routerOf();
  await after.ready();
  const countries = after.reference('countries');
  const told = { code: 'ASHLAR_SHARD_ROUTER_MIXED_VERSIONS', retryable: true, outcome: 'NotExecuted' };
  await expect(countries.upsert({ code: 'de', name: 'Germany' })).rejects.toMatchObject(told);
  await expect(countries.select().all({ consistency: 'strong' })).rejects.toMatchObject(told);
});
