import type { Executor } from '@ashlar/replica-failover/executor';
import { memoryStore } from '@ashlar/store';
import { expect, it, onTestFinished } from 'vitest';
import { postgresMoves } from '../../src/adapters/postgres.ts';
import { isolationLevel } from '../../src/clients/isolation.ts';
import { memoryShards, ShardRouter } from '../../src/index.ts';
import type { MoveBackend, MoveContext, MoveSpec } from '../../src/moves/move-backend.ts';
import { Table } from '../../src/tables/table-of.ts';
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

it('names that are too long for a prepared transaction are told by a code, and nothing is written', async () => {
  const store = memoryStore();
  const accounts = { key: ['owner'], primaryKey: ['owner'], columns: { owner: 'text' } } as const;
  const router = new ShardRouter({
    shards: memoryShards(['one', 'two']),
    name: 'n'.repeat(200),
    store,
    key: 'text',
    tables: { accounts },
    twoPhase: true,
  });
  onTestFinished(async () => {
    await router.close();
    await store.close();
  });
  await router.ready();
  const owners = ['a', 'b', 'c', 'd', 'e', 'f'];
  expect(new Set(owners.map(owner => router.route(owner).shard)).size).toBe(2);
  const writing = router.transaction(
    owners,
    async tx => {
      for (const owner of owners) await tx.table('accounts').insert({ owner });
    },
    { twoPhase: true },
  );
  await expect(writing).rejects.toMatchObject({
    code: 'ASHLAR_SHARD_ROUTER_TWO_PHASE_UNAVAILABLE',
    message: expect.stringContaining('too long for a prepared transaction'),
  });
  expect(await router.table('accounts').select().everywhere().count()).toBe(0n);
});

it('an isolation that there is not, and a write within a read, are told by a code', async () => {
  expect(isolationLevel(' repeatable_read')).toBe('REPEATABLE READ');
  expect(() => isolationLevel('snapshot')).toThrow(expect.objectContaining({ option: 'isolation' }));
  const { one } = memoryShards(['one']);
  const table = new Table('notes', { key: ['id'], primaryKey: ['id'], columns: { id: 'int8' } }, 'int8');
  const writing = one.read(client => client.execute({ kind: 'truncate', table }));
  await expect(writing).rejects.toMatchObject({ code: 'ASHLAR_SHARD_ROUTER_INVALID_QUERY' });
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
  retire: backend => backend.retire!(move, context, { withinMs: 100, keepsRows: false }),
  admit: backend => backend.admit!(move, context),
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
