import { memoryStore } from '@ashlar/store';
import { expect, it, onTestFinished } from 'vitest';
import {
  InDoubtError,
  InvalidValueError,
  type MemoryShard,
  memoryShards,
  UnsettledError,
} from '../../src/index.ts';
import { altered } from '../support/altered.ts';
import { accountsRouter, audit, ownersOn, transfer } from './accounts.ts';

const lost = new Error('the answer was lost');

/** Accounts on three shards, the calls of which can be disturbed. */
async function opened(
  options: { readonly sweepMs?: number; readonly inDoubtMs?: number } = { sweepMs: 600_000 },
) {
  const memory = memoryShards(['one', 'three', 'two']);
  const disturbed: { [shard: string]: Partial<MemoryShard> } = {};
  const shards = Object.fromEntries(
    Object.entries(memory).map(([name, shard]) => {
      disturbed[name] = {};
      return [name, altered(shard, disturbed[name])];
    }),
  );
  const store = memoryStore();
  const router = accountsRouter(shards, store, options);
  onTestFinished(async () => {
    await router.close();
    await store.close();
  });
  await router.ready();
  const owners = ownersOn(router, ['one', 'three', 'two']) as [string, string, string];
  for (const owner of owners) await router.table('accounts').insert({ owner, balance: 100 });
  return { router, owners, memory, disturbed };
}

it('an answer to the commit that is lost is found out, where the shard can be asked', async () => {
  const { router, owners, memory, disturbed } = await opened();
  const [from, ...to] = owners;
  disturbed['one']!.transaction = async (work, scope) => {
    await memory.one.transaction(work, scope);
    throw lost;
  };
  await transfer(router, from, to, 'committed');
  disturbed['one']!.transaction = async work => {
    await memory.one
      .transaction(async client => {
        await work(client);
        throw lost;
      })
      .catch(() => {});
    throw lost;
  };
  await expect(transfer(router, from, to, 'undone')).rejects.toBe(lost);
  expect(await audit(router)).toEqual({ sum: 300n, transfers: { committed: 3 } });
});

it.each(['committed', 'aborted'] as const)(
  'where it cannot, the error has an id that says it later: %s',
  async became => {
    const { router, owners, memory, disturbed } = await opened();
    const [from, ...to] = owners;
    disturbed['one']!.transaction = async work => {
      const undo = new Error('undo');
      await memory.one
        .transaction(async client => {
          await work(client);
          if (became === 'aborted') throw undo;
        })
        .catch(() => {});
      // Nobody can ask either
      disturbed['one']!.write = () => Promise.reject(lost);
      throw lost;
    };
    const error = await transfer(router, from, to, 'doubtful').catch((each: unknown) => each as InDoubtError);
    expect(error).toBeInstanceOf(InDoubtError);
    expect(error).toMatchObject({ outcome: 'Unknown' });
    const { transaction } = error as InDoubtError;
    await expect(router.outcomeOf(transaction)).rejects.toBe(lost);
    expect((await router.recover(0)).failed.map(({ shard }) => shard).sort()).toEqual([
      'one',
      'three',
      'two',
    ]);
    disturbed['one']!.write = memory.one.write.bind(memory.one);
    expect(await router.outcomeOf(transaction)).toBe(became);
    const { settled, failed } = await router.recover(0);
    expect(failed).toEqual([]);
    expect(settled.map(({ shard, verdict }) => [shard, verdict]).sort()).toEqual([
      ['three', became === 'committed' ? 'commit' : 'abort'],
      ['two', became === 'committed' ? 'commit' : 'abort'],
    ]);
    expect(await audit(router)).toEqual({
      sum: 300n,
      transfers: became === 'committed' ? { doubtful: 3 } : {},
    });
    await expect(router.outcomeOf('x')).rejects.toThrow(InvalidValueError);
  },
);

it('a shard that cannot be told of the commit is named, and is told later', async () => {
  const { router, owners, memory, disturbed } = await opened();
  const [from, ...to] = owners;
  disturbed['one']!.transaction = async (work, scope) => {
    const result = await memory.one.transaction(work, scope);
    disturbed['two']!.write = () => Promise.reject(lost);
    return result;
  };
  const error = await transfer(router, from, to, 'half', 200).catch((each: unknown) => each);
  expect(error).toBeInstanceOf(UnsettledError);
  expect(error).toMatchObject({ outcome: 'Executed', shards: ['two'] });
  disturbed['two']!.write = memory.two.write.bind(memory.two);
  expect((await router.recover(0)).settled).toMatchObject([{ shard: 'two', verdict: 'commit' }]);
  expect(await audit(router)).toEqual({ sum: 300n, transfers: { half: 3 } });
});

it('a router settles by itself what another process has left, and frees the rows', async () => {
  const { router, owners, memory, disturbed } = await opened({ sweepMs: 100, inDoubtMs: 0 });
  const [from, ...to] = owners;
  // The process of this one stops when it has prepared
  disturbed['one']!.transaction = work => {
    void memory.one
      .transaction(async client => {
        await work({
          ...client,
          ledger: { ...client.ledger!, now: async () => 1, decide: () => new Promise(() => {}) },
        });
      })
      .catch(() => {});
    return new Promise(() => {});
  };
  void transfer(router, from, to, 'left').catch(() => {});
  disturbed['one']!.transaction = memory.one.transaction.bind(memory.one);
  await transfer(router, to[0]!, [to[1]!], 'after it', 20_000);
  expect(await audit(router)).toMatchObject({ sum: 300n, transfers: { 'after it': 2 } });
});
