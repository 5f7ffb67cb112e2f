import type { Executor } from '@ashlar/replica-failover/executor';
import { memoryStore } from '@ashlar/store';
import { expect, it, onTestFinished } from 'vitest';
import { postgresMoves } from '../../src/adapters/postgres.ts';
import { memoryShards, ShardRouter } from '../../src/index.ts';
import type { MoveBackend, MoveContext, MoveSpec } from '../../src/moves/move-backend.ts';
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

const move: MoveSpec = {
  ...{ id: 'late', router: 'shards', from: 'one', to: 'two', slices: [{ from: 0, to: 512 }] },
  ...{ key: 'text', slots: 1_024, tables: {} },
};
const context: MoveContext = { token: 1n, signal: new AbortController().signal, progress: () => {} };
const calls: Readonly<Record<string, (backend: MoveBackend) => Promise<unknown>>> = {
  plan: backend => backend.plan(move, context.signal),
  sizes: backend => backend.sizes!('one', move, context.signal),
  prepare: backend => backend.prepare(move, context),
  copy: backend => backend.copy(move, context),
  lag: backend => backend.lag(move, context),
  verify: backend => backend.verify(move, context),
  fence: backend => backend.fence(move, context, 100),
  unfence: backend => backend.unfence(move, context),
  drain: backend => backend.drain(move, context),
  recheck: backend => backend.recheck(move, context),
  turn: backend => backend.turn(move, context),
  follow: backend => backend.follow!(move, context),
  following: backend => backend.following!(move, context.signal),
  unfollow: backend => backend.unfollow!(move, context),
  abort: backend => backend.abort(move, context),
  finish: backend => backend.finish(move, context),
  leaks: backend => backend.leaks('one', []),
};

it.each(Object.entries(calls))(
  '%s of a postgresMoves that is closed connects to nothing',
  async (_, call) => {
    let connections = 0;
    const shard = {
      client: () => {
        connections++;
        throw new Error('nobody is there');
      },
      replication: 'host=none',
    };
    const backend = postgresMoves({ shards: { one: shard, two: shard } });
    await backend.close();
    await expect(call(backend)).rejects.toMatchObject({ code: 'ASHLAR_SHARD_ROUTER_MOVER_CLOSED' });
    expect(connections).toBe(0);
  },
);
