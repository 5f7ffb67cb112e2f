import { memoryStore } from '@ashlar/store';
import { expect, it, onTestFinished } from 'vitest';
import { Mover, memoryMoves, memoryShards } from '../../src/index.ts';
import { gidOf, newId } from '../../src/two-phase/names.ts';
import { accountsRouter, audit, ownersOn, tables, transfer } from './accounts.ts';

const names = ['one', 'three', 'two'] as const;

it('slots move while transfers between shards run: the sum stays, and what a dead process has left is settled before', async () => {
  const shards = memoryShards([...names, 'zero']);
  const { zero, ...first } = shards;
  const store = memoryStore();
  await using early = accountsRouter(first, store);
  await early.ready();
  await using router = accountsRouter(shards, store, { sweepMs: 600_000 });
  await router.ready();
  const mover = new Mover({
    store,
    tables,
    backend: memoryMoves({ shards }),
    pauseMs: 10_000,
    fenceMs: 2_000,
  });
  onTestFinished(() => mover.close());
  onTestFinished(() => store.close());
  const owners = Array.from({ length: 30 }, (_, i) => `owner ${i}`);
  for (const owner of owners) await router.table('accounts').insert({ owner, balance: 100 });

  // A process has prepared its part here, and died before it has decided
  const [doubtful] = ownersOn(router, ['two']) as [string];
  const id = newId('one', Date.now());
  await shards.two.transaction(async client => {
    await client.ledger!.prepare(gidOf('shards', id, 'two'));
  });
  expect((await shards.two.write(client => client.ledger!.inDoubt('ashlar:'))).length).toBe(1);

  let isOver = false;
  const done: string[] = [];
  const traffic = Array.from({ length: 3 }, async (_, worker) => {
    for (let n = 0; !isOver; n++) {
      // Shards in memory answer at once: the loop would leave no time for the move
      await new Promise(resolve => setImmediate(resolve));
      const [from, to] = [owners[(n * 7 + worker) % 30]!, owners[(n * 11 + worker * 5 + 1) % 30]!];
      const name = `${worker}/${n}`;
      if (from === to || router.route(from).shard === router.route(to).shard) continue;
      const outcome = await transfer(router, from, [to], name, 60_000).catch((error: unknown) => error);
      if (outcome === undefined) done.push(name);
      else expect(outcome).toMatchObject({ retryable: true });
    }
  });
  const moves = await mover.move({ kind: 'drain', shard: 'two' });
  expect(moves.length).toBeGreaterThan(0);
  isOver = true;
  await Promise.all(traffic);
  expect(router.route(doubtful).shard).not.toBe('two');
  const { sum, transfers } = await audit(router);
  expect(sum).toBe(3_000n);
  expect(Object.keys(transfers).sort()).toEqual([...done].sort());
  expect(Object.values(transfers).every(parts => parts === 2)).toBe(true);
  expect(done.length).toBeGreaterThan(0);
}, 60_000);
