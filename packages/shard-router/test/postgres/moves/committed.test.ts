import { eventually } from '@workspace/services';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PostgresMoves } from '../../../src/adapters/postgres/moves/postgres-moves.ts';
import type { MoveSpec } from '../../../src/moves/move-backend.ts';
import { altered } from '../../support/altered.ts';
import { context, counts, fill, lowerHalf, moverOf, names, type TwoShards, twoShards } from '../shards.ts';

const lower = names(5, 'lower');
const request = { kind: 'merge', shards: ['one'], into: 'two' } as const;
const soon = () => AbortSignal.timeout(10_000);

describe('a committed move between two databases of PostgreSQL', () => {
  let shards: TwoShards;
  let moves: PostgresMoves;
  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());
  beforeEach(async () => {
    for (const client of [shards.one, shards.two]) {
      await client.query('DROP SCHEMA IF EXISTS ashlar_shards CASCADE; TRUNCATE customer, purchase');
    }
    await fill(shards.one, lower, 2);
    moves = shards.moves();
  });

  /** All that moves have in both databases. */
  const all = async () => [await moves.leaks('one', []), await moves.leaks('two', [])];

  /** What each step before has left. */
  const upToTurn = async (move: MoveSpec) => {
    for (const step of ['prepare', 'copy', 'lag', 'verify'] as const) await moves[step](move, context());
    await moves.fence(move, context(), 1_000);
    for (const step of ['drain', 'recheck', 'turn'] as const) await moves[step](move, context());
  };

  it('whose process died at once is followed by the old source as soon as another runs it', async () => {
    const move = lowerHalf('orphan');
    await upToTurn(move);
    await moves.close();
    moves = shards.moves();
    await shards.two.query(
      'CREATE TABLE noise AS SELECT g FROM generate_series(1, 20000) g; DROP TABLE noise',
    );
    const { state, retainedBytes } = await moves.following(move, soon());
    expect(state).toBe('waiting');
    expect(retainedBytes).toBeGreaterThan(1_000_000);
    await shards.two.query("UPDATE customer SET name = 'after'");
    await moves.follow(move, context(2n));
    expect((await moves.following(move, soon())).state).toBe('follows');
    await eventually(
      async () =>
        expect((await shards.one.query('SELECT DISTINCT name FROM customer')).rows).toEqual([
          { name: 'after' },
        ]),
      { withinMs: 30_000 },
    );
    const once = await all();
    await moves.follow(move, context(2n));
    expect(await all()).toEqual(once);
    await moves.finish(move, context(2n));
    expect(await all()).toEqual([[], []]);
  }, 60_000);

  it('keeps no log any more once that is ended, and is finished then', async () => {
    const move = lowerHalf('ended');
    await upToTurn(move);
    await moves.unfollow(move, context());
    expect(await moves.following(move, soon())).toEqual({ state: 'ended', retainedBytes: 0 });
    const { rows } = await shards.two.query('SELECT FROM pg_replication_slots');
    expect(rows).toEqual([]);
    await moves.follow(move, context());
    await moves.finish(move, context());
    expect(await all()).toEqual([[], []]);
    expect([await counts(shards.one), await counts(shards.two)]).toEqual([
      { customers: 0, purchases: 0 },
      { customers: 5, purchases: 10 },
    ]);
  }, 60_000);

  it('is compared without anything being left of that', async () => {
    const mover = await moverOf(moves);
    const [{ id }] = (await mover.move(request)) as unknown as [{ id: string }];
    const before = await all();
    expect(await mover.verify(id)).toEqual({ rows: 15, differences: [] });
    expect(await all()).toEqual(before);
    expect((await mover.status()).following[id]).toMatchObject({ state: 'follows' });
    await mover.finish(id);
    expect(await all()).toEqual([[], []]);
  }, 60_000);

  it('is as it was when a rollback of it is given up', async () => {
    const missing = { table: 'customer', missing: ['"x"'], extra: [], different: [] };
    let isBroken = false;
    const recheck: PostgresMoves['recheck'] = async (...args) => {
      const found = await moves.recheck(...args);
      return isBroken ? { ...found, differences: [missing] } : found;
    };
    const mover = await moverOf(altered(moves, { recheck }));
    const [{ id }] = (await mover.move(request)) as unknown as [{ id: string }];
    const before = await all();
    isBroken = true;
    await expect(mover.rollback(id)).rejects.toMatchObject({ code: 'ASHLAR_SHARD_ROUTER_MOVE_ABORTED' });
    // A fence that was opened again stays until the move is finished
    const isOpen = (leak: string) => /^trigger .*_b_(bi|bu|bd|ai|au) of/.test(leak);
    expect((await all()).map(leaks => leaks.filter(leak => !isOpen(leak)))).toEqual(before);
    await shards.two.query("UPDATE customer SET name = 'on two'");
    isBroken = false;
    expect(await mover.rollback(id)).toMatchObject({ step: 'committed', to: 'one' });
    expect((await shards.one.query('SELECT DISTINCT name FROM customer')).rows).toEqual([{ name: 'on two' }]);
    await mover.finish(id);
    expect(await all()).toEqual([[], []]);
  }, 60_000);
});
