import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { context, counts, fill, lowerHalf, names, type TwoShards, twoShards } from '../shards.ts';

const lower = names(5, 'lower');
const refused = {
  code: 'ASHLAR_SHARD_ROUTER_MOVE_REFUSED',
  obstacles: [expect.objectContaining({ kind: 'rows_at_target', shard: 'two', table: 'customer' })],
};

describe('rows that somebody has put at the target', () => {
  let shards: TwoShards;
  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
    await fill(shards.one, lower, 2);
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());

  const strange = async () => (await shards.two.query('SELECT name FROM customer')).rows;
  const put = (name: string) => shards.two.query('INSERT INTO customer VALUES ($1, $2)', [lower[0], name]);

  it('between the plan and its fence stay, are named, and can be taken away by whoever put them', async () => {
    const [moves, move] = [shards.moves(), lowerHalf('strange')];
    expect((await moves.plan(move, AbortSignal.timeout(10_000))).obstacles).toEqual([]);
    await put('of somebody');
    await expect(moves.prepare(move, context())).rejects.toMatchObject(refused);
    expect(await strange()).toEqual([{ name: 'of somebody' }]);
    // Nothing is locked meanwhile
    await shards.two.query("UPDATE customer SET name = 'changed'");
    await expect(moves.prepare(move, context())).rejects.toMatchObject(refused);
    await shards.two.query('DELETE FROM customer');
    await moves.prepare(move, context());
    await expect(put('late')).rejects.toMatchObject({ code: 'AS409' });
    await moves.copy(move, context());
    expect(await counts(shards.two)).toEqual({ customers: 5, purchases: 10 });
    await moves.abort(move, context());
    expect(await counts(shards.two)).toEqual({ customers: 0, purchases: 0 });
  }, 60_000);

  it('are not deleted when a move that met them is undone, also by a process that does not know of it', async () => {
    const move = lowerHalf('undone');
    await put('of somebody');
    await expect(shards.moves().prepare(move, context())).rejects.toMatchObject(refused);
    // As after a crash between its fence and its look
    await expect(shards.moves().copy(move, context(2n))).rejects.toMatchObject(refused);
    expect(await strange()).toEqual([{ name: 'of somebody' }]);
    await shards.moves().abort(move, context(3n));
    expect(await strange()).toEqual([{ name: 'of somebody' }]);
    await shards.two.query('DELETE FROM customer');
    for (const shard of ['one', 'two']) expect(await shards.moves().leaks(shard, [])).toEqual([]);
  }, 60_000);

  it('are not taken for rows of the copy when that begins anew', async () => {
    const [moves, move] = [shards.moves(), lowerHalf('anew')];
    await moves.prepare(move, context());
    await moves.copy(move, context());
    // As a copy leaves them that has died in its midst
    await shards.two.query(
      'ALTER SUBSCRIPTION ashlar_move_anew_a DISABLE; ALTER SUBSCRIPTION ashlar_move_anew_a SET (slot_name = NONE)',
    );
    await shards.two.query('DROP SUBSCRIPTION ashlar_move_anew_a');
    await shards.moves().copy(move, context(2n));
    expect(await counts(shards.two)).toEqual({ customers: 5, purchases: 10 });
    await shards.moves().abort(move, context(3n));
    expect(await counts(shards.two)).toEqual({ customers: 0, purchases: 0 });
  }, 60_000);
});
