import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { systemClock } from '@ashlar/core';
import { memoryStore, type Store } from '@ashlar/store';
import { eventually } from '@workspace/services';
import { expect, it, onTestFinished } from 'vitest';
import { type MemoryShard, memoryShards, ShardRouter } from '../src/index.ts';
import { withIndexTables } from '../src/indexes/index-tables.ts';
import { Sweeper, type SweepPart } from '../src/sweeping.ts';
import { altered } from './support/altered.ts';

const spec = {
  key: ['id'],
  primaryKey: ['id'],
  columns: { id: 'text', mail: 'text' },
  indexes: { mail: { columns: ['mail'] } },
} as const;
const tables = { pets: spec, users: spec } as const;
const all = {
  slices: [{ from: 0, to: 1024 }],
  key: 'text',
  slots: 1024,
  tables: withIndexTables(tables, 'text'),
} as const;
const down = () => Promise.reject(new Error('the shard is down'));

/** Entries that a write has left without confirming them. */
const unsureOn = (shard: MemoryShard) =>
  shard.snapshot(all).rows.filter(({ table, row }) => table.includes('_by_') && row['live'] === false);

it('a sweep goes on where a shard is down, and says so', async () => {
  const memory = memoryShards(['one', 'two']);
  const store = memoryStore();
  const routerOf = async (
    alter: (shard: MemoryShard, name: string) => Partial<MemoryShard>,
    more: { readonly sweepMs?: number } = {},
  ) => {
    const shards = Object.fromEntries(
      Object.entries(memory).map(([name, shard]) => [name, altered(shard, alter(shard, name) as never)]),
    );
    const options = { shards, store, key: 'text', tables, inDoubtMs: 0, sweepMs: 600_000, ...more } as const;
    const router = new ShardRouter(options);
    onTestFinished(() => router.close());
    await router.ready();
    return router;
  };
  // Claims, and is dead before the transaction of the row
  const dead = { isDead: false };
  const dying = await routerOf(
    shard =>
      ({
        transaction: () => {
          dead.isDead = true;
          return down();
        },
        write: (...args: Parameters<MemoryShard['write']>) => (dead.isDead ? down() : shard.write(...args)),
      }) as Partial<MemoryShard>,
  );
  for (const table of ['pets', 'users'] as const) {
    for (let n = 0; n < 12; n++) {
      dead.isDead = false;
      await expect(dying.table(table).insert({ id: `${n}`, mail: `m${n}` })).rejects.toThrow('is down');
    }
  }
  await dying.close();
  const [one, two] = [unsureOn(memory['one']!), unsureOn(memory['two']!)];
  for (const table of ['pets_by_mail', 'users_by_mail']) {
    expect(one.map(each => each.table)).toContain(table);
    expect(two.map(each => each.table)).toContain(table);
  }
  let isDown = true;
  const failed = new Set<string>();
  const told = (message: unknown) => {
    for (const { shard } of (message as { failed: readonly { shard: string }[] }).failed) failed.add(shard);
  };
  subscribe('ashlar:shard-router:sweep', told);
  onTestFinished(() => void unsubscribe('ashlar:shard-router:sweep', told));
  const gone = { read: down, write: down, transaction: down } as unknown as Partial<MemoryShard>;
  const router = await routerOf(
    (_, name) =>
      name !== 'one'
        ? {}
        : (Object.fromEntries(
            (['read', 'write', 'transaction'] as const).map(method => [
              method,
              (...args: never[]) =>
                isDown
                  ? (gone[method] as typeof down)()
                  : (memory['one']![method] as (...all: never[]) => unknown)(...args),
            ]),
          ) as Partial<MemoryShard>),
    { sweepMs: 100 },
  );
  // Those of the shard that is there, but for rows of the one that is down: in every table
  const isOnTwo = (row: Record<string, unknown>) =>
    router.route(JSON.parse(row['row'] as string)[0]).shard === 'two';
  await eventually(
    async () => expect(unsureOn(memory['two']!).filter(({ row }) => isOnTwo(row))).toEqual([]),
    { withinMs: 30_000 },
  );
  await eventually(async () => expect(router.snapshot().sweepFaults.join()).toContain('one: '), {
    withinMs: 30_000,
  });
  expect([...failed]).toContain('one');
  isDown = false;
  await eventually(
    async () => expect([...unsureOn(memory['one']!), ...unsureOn(memory['two']!)]).toEqual([]),
    { withinMs: 30_000 },
  );
  await eventually(async () => expect(router.snapshot().sweepFaults).toEqual([]), { withinMs: 30_000 });
  await router.close();
  await store.close();
});

it('a sweep keeps its claim for as long as it takes, and ends when another has it', async () => {
  const store = memoryStore();
  let claims = 0;
  let isLost = false;
  const counting = altered<Store>(store, {
    claim: async (...args) => {
      claims++;
      return isLost ? undefined : store.claim(...args);
    },
  });
  const ended: unknown[] = [];
  const long: SweepPart = async signal => {
    // Longer than the claim would last
    await eventually(async () => expect(claims).toBeGreaterThan(6), { withinMs: 30_000 });
    isLost = true;
    await new Promise(resolve => signal.addEventListener('abort', resolve));
    ended.push(signal.reason);
    return { failed: [] };
  };
  const next: SweepPart = async () => {
    ended.push('the next part');
    return { failed: [] };
  };
  const sweeper = new Sweeper({
    router: 'r',
    store: counting,
    claim: 'c',
    everyMs: 10,
    clock: systemClock,
    parts: [long, next],
  });
  await eventually(async () => expect(ended).toHaveLength(1), { withinMs: 30_000 });
  await sweeper.close();
  expect(ended).toMatchObject([{ message: 'another router sweeps' }]);
  await store.close();
});
