import type { Executor } from '@ashlar/replica-failover/executor';
import { getJson, memoryStore, setJson } from '@ashlar/store';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type MemoryClient, memoryShards, type ShardMap, ShardRouter } from '../../src/index.ts';

const tables = {
  events: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int8', id: 'int4', note: 'text' },
  },
} as const;

const mapKey = 'shards:shards:map';

/** Two shards in memory with a thousand rows, and what moves all rows of the one to the other, which leaves copies behind. */
async function opened() {
  const store = memoryStore();
  const memory = memoryShards(['a', 'b']);
  /** Runs before the next read of a shard. */
  const before: { [shard: string]: (() => Promise<void>) | undefined } = {};
  const shards = Object.fromEntries(
    Object.entries(memory).map(([name, shard]) => [
      name,
      {
        read: async (work, scope) => {
          const run = before[name];
          before[name] = undefined;
          await run?.();
          return shard.read(work, scope);
        },
        write: (work, scope) => shard.write(work, scope),
        transaction: (work, scope) => shard.transaction(work, scope),
      } satisfies Executor<MemoryClient>,
    ]),
  );
  const router = new ShardRouter({ shards, store, key: 'int8', slots: 16, tables });
  onTestFinished(async () => {
    await router.close();
    await store.close();
  });
  await router.ready();
  for (let tenant = 0; tenant < 100; tenant++) {
    const rows = Array.from({ length: 10 }, (_, id) => ({ tenant, id, note: `${tenant}:${id}` }));
    await router.table('events').insert(rows);
  }
  const moved = { slices: [{ from: 0, to: 8 }], key: 'int8', slots: 16, tables } as const;
  const copy = async () => {
    const rows = memory.a.snapshot(moved).rows.map(({ table, row }) => ({ table, key: row, row }));
    await memory.b.apply(moved, rows);
  };
  const commit = async () => {
    const { epoch, revision } = (await getJson<ShardMap>(store, mapKey))!.value;
    await setJson(store, mapKey, {
      epoch: epoch + 1,
      revision: revision + 1,
      moves: [],
      key: 'int8',
      slots: 16,
      ranges: [{ from: 0, shard: 'b' }],
    });
    await vi.waitFor(() => expect(router.route(1).epoch).toBe(epoch + 1), { timeout: 15_000 });
  };
  const remove = async () => {
    const rows = memory.a.snapshot(moved).rows.map(({ table, row }) => ({ table, key: row, row: undefined }));
    await memory.a.apply(moved, rows);
  };
  return { router, before, copy, commit, remove };
}

const notes = Array.from({ length: 100 }, (_, tenant) =>
  Array.from({ length: 10 }, (_, id) => `${tenant}:${id}`),
)
  .flat()
  .sort();

it('rows that move are returned once: before, between and after the steps of a move', async () => {
  const { router, copy, commit, remove } = await opened();
  const events = router.table('events');
  const query = events.select('note').everywhere();
  const found = async () => (await query.all()).map(({ note }) => note).sort();
  const states = [async () => {}, copy, commit, remove];
  for (const step of states) {
    await step();
    expect(await found()).toEqual(notes);
    expect(await query.count()).toBe(1_000n);
    expect(await events.update({ note: '' }).where({ note: 'none' }).everywhere().run()).toBe(0);
  }
});

it('a query whose map changes before each shard has its snapshot begins anew', async () => {
  const { router, before, copy, commit, remove } = await opened();
  const query = router.table('events').select('note').orderBy('note').everywhere();
  await copy();
  before['a'] = async () => {
    await commit();
    await remove();
  };
  expect((await query.all()).map(({ note }) => note)).toEqual(notes);
});

it('pages are right while rows move between them', async () => {
  const { router, copy, commit, remove } = await opened();
  const query = router.table('events').select('note').orderBy('note').everywhere();
  const seen: (string | null)[] = [];
  const steps = [copy, commit, remove];
  for (let after: string | undefined, isFirst = true; isFirst || after !== undefined; isFirst = false) {
    const page = await query.page({ size: 150, after });
    seen.push(...page.rows.map(({ note }) => note));
    after = page.next;
    await steps.shift()?.();
  }
  expect(steps).toEqual([]);
  expect(seen).toEqual(notes);
});

it('a stream that has begun goes on with its snapshot while rows move', async () => {
  const { router, copy, commit, remove } = await opened();
  const query = router.table('events').select('note').orderBy('note').everywhere();
  const seen: (string | null)[] = [];
  const steps = [copy, commit, remove];
  for await (const { note } of query.stream({ batchRows: 20 })) {
    seen.push(note);
    if (seen.length % 300 === 0) await steps.shift()?.();
  }
  expect(seen).toEqual(notes);
});

it('a shard that begins anew in the midst of its rows fails the query', async () => {
  const { a } = memoryShards(['a']);
  const twice: Executor<MemoryClient> = {
    read: async (work, scope) => {
      await a.read(work, scope);
      return a.read(work, scope);
    },
    write: (work, scope) => a.write(work, scope),
    transaction: (work, scope) => a.transaction(work, scope),
  };
  const store = memoryStore();
  const router = new ShardRouter({ shards: { a: twice }, store, key: 'int8', tables });
  onTestFinished(async () => {
    await router.close();
    await store.close();
  });
  await router.ready();
  await router.table('events').insert([1, 2, 3].map(id => ({ tenant: 1, id })));
  const stream = router.table('events').select('id').everywhere().stream({ batchRows: 1 });
  const read = async () => {
    for await (const _ of stream);
  };
  await expect(read()).rejects.toThrow('anew');
});
