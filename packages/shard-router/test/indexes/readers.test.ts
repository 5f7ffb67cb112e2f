import { memoryStore } from '@ashlar/store';
import { eventually } from '@workspace/services';
import { expect, it, onTestFinished } from 'vitest';
import { IndexBusyError, type MemoryShard, memoryShards } from '../../src/index.ts';
import { altered } from '../support/altered.ts';
import { faultsOf, leftoversOf, tenantsOn, type Users, usersRouter } from './users.ts';

/** What holds calls until it is opened. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>(resolve => {
    open = resolve;
  });
  return { open, opened };
}

/** A user on shard `one`, which is to move to `two`; and routers, each with shards of its own over these. */
async function moving() {
  const memory = memoryShards(['one', 'two']);
  const store = memoryStore();
  onTestFinished(() => store.close());
  const routerOf = async (
    change: (shard: MemoryShard, name: string) => Partial<MemoryShard> = () => ({}),
    options: { readonly inDoubtMs?: number } = {},
  ) => {
    const entries = Object.entries(memory).map(([name, shard]) => [
      name,
      altered(shard, change(shard, name)),
    ]);
    const router = usersRouter(Object.fromEntries(entries), store, { twoPhase: true, ...options });
    onTestFinished(() => router.close());
    await router.ready();
    return router;
  };
  const plain = await routerOf();
  const [from, to] = tenantsOn(plain, ['one', 'two']) as [string, string];
  await plain.table('users').insert({ tenant: from, id: 1, mail: 'mine', town: 'Wien' });
  const move = (router: Users) => router.table('users').moveRow({ tenant: from, id: 1 }, { tenant: to });
  const find = (router: Users) =>
    Promise.all([
      router.table('users').findBy('mail', { mail: 'mine' }),
      router.table('users').findBy('town', { town: 'Wien' }),
    ]);
  const isRight = async () => {
    expect(await faultsOf(plain)).toEqual([]);
    expect(await leftoversOf(memory, store)).toEqual({ entries: [], voids: 0 });
  };
  const row = { tenant: to, id: 1n, mail: 'mine', town: 'Wien', seen: null };
  return { routerOf, plain, move, find, isRight, row };
}

it('a reader waits while a row is in neither place, and finds it in the other one', async () => {
  const { routerOf, move, find, isRight, row } = await moving();
  const { open, opened } = gate();
  let isCommitted = false;
  const mover = await routerOf(
    (shard, name) =>
      (name === 'one'
        ? {
            transaction: async (...args: Parameters<MemoryShard['transaction']>) => {
              const result = await shard.transaction(...args);
              isCommitted = true;
              return result;
            },
          }
        : {
            // The next one tells it that the transaction is committed
            write: async (...args: Parameters<MemoryShard['write']>) => {
              if (isCommitted) await opened;
              return shard.write(...args);
            },
          }) as Partial<MemoryShard>,
  );
  const moved = move(mover);
  await eventually(async () => expect(isCommitted).toBe(true), { withinMs: 30_000 });
  const impatient = await routerOf(undefined, { inDoubtMs: 1 });
  await expect(find(impatient)).rejects.toThrow(IndexBusyError);
  let reads = 0;
  const reader = await routerOf(
    shard =>
      ({
        read: (...args: Parameters<MemoryShard['read']>) => {
          reads++;
          return shard.read(...args);
        },
      }) as Partial<MemoryShard>,
    { inDoubtMs: 60_000 },
  );
  let isFound = false;
  const found = find(reader).finally(() => {
    isFound = true;
  });
  await eventually(async () => expect(reads).toBeGreaterThan(12), { withinMs: 30_000 });
  expect(isFound).toBe(false);
  open();
  expect(await moved).toBe(true);
  expect(await found).toEqual([[row], [row]]);
  await isRight();
});

it('a reader whose row moves between the read of its entry and its own finds it, once', async () => {
  const { routerOf, plain, move, find, isRight, row } = await moving();
  const { open, opened } = gate();
  let reads = 0;
  const reader = await routerOf(
    shard =>
      ({
        read: async (...args: Parameters<MemoryShard['read']>) => {
          // Those of the two entries
          if (++reads > 2) await opened;
          return shard.read(...args);
        },
      }) as Partial<MemoryShard>,
  );
  const found = find(reader);
  await eventually(async () => expect(reads).toBeGreaterThan(3), { withinMs: 30_000 });
  expect(await move(plain)).toBe(true);
  open();
  expect(await found).toEqual([[row], [row]]);
  await isRight();
});
