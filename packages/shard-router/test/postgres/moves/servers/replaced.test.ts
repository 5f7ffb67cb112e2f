import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PostgresMoves } from '../../../../src/adapters/postgres/moves/postgres-moves.ts';
import { run, step } from '../../../../src/conformance/steps.ts';
import { LostCopyError } from '../../../../src/errors/moves.ts';
import {
  backwards,
  context,
  counts,
  fill,
  lowerHalf,
  names,
  type TwoShards,
  twoShards,
} from '../../shards.ts';

const lower = names(5, 'lower');
let moved = 0;

vi.setConfig({ testTimeout: 120_000 });

describe('a move between two databases of PostgreSQL of which one is restored from before', () => {
  let shards: TwoShards;
  let moves: PostgresMoves;
  let move: ReturnType<typeof lowerHalf>;
  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms', max_replication_slots: 20 } });
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());
  beforeEach(async () => {
    move = lowerHalf(`replaced_${moved++}`);
    moves = shards.moves();
    await fill(shards.one, lower, 2);
  });
  afterEach(async () => {
    for (const client of [shards.one, shards.two])
      await client.query('DELETE FROM purchase; DELETE FROM customer');
  });

  const nameOf = async (shard: 'one' | 'two') => {
    const { rows } = await shards[shard].query('SELECT name FROM customer WHERE id = $1', [lower[0]]);
    return rows[0].name as string;
  };
  const undone = async () => {
    await moves.abort(move, context());
    await shards.one.query("UPDATE customer SET name = 'open'");
    expect(await counts(shards.two)).toEqual({ customers: 0, purchases: 0 });
    for (const shard of ['one', 'two']) expect(await moves.leaks(shard, [])).toEqual([]);
  };

  // Its subscription goes on where the source keeps its log from, and the rows in between are not noted any more
  it('compares anew where the disk of the target is that of before its last rows were compared', async () => {
    await run(moves, move, { to: 'verify' });
    const { rows } = await shards.two.query('SELECT id, verified FROM ashlar_shards.move WHERE id = $1', [
      move.id,
    ]);
    await shards.one.query("UPDATE customer SET name = 'later'");
    await step(moves, move, 'lag');
    await run(moves, move, { from: 'fence', to: 'drain' });
    await shards.two.query('UPDATE ashlar_shards.move SET verified = $2 WHERE id = $1', [
      move.id,
      rows[0].verified,
    ]);
    await shards.two.query("SET session_replication_role = replica; SET ashlar.mover = 'on'");
    await shards.two.query("UPDATE customer SET name = 'of before'");
    await shards.two.query('RESET session_replication_role; RESET ashlar.mover');
    await expect(moves.recheck(move, context())).rejects.toThrow(LostCopyError);
    await expect(moves.turn(move, context())).rejects.toThrow(LostCopyError);
    await moves.unfence(move, context());
    const { differences } = await moves.verify(move, context());
    expect(differences).toMatchObject([{ table: 'customer' }]);
    expect(await nameOf('one')).toBe('later');
    await undone();
  });

  it('does not turn while its source can be written', async () => {
    await run(moves, move, { to: 'recheck' });
    await shards.one.query('UPDATE ashlar_shards.fence SET opened = attempt');
    await expect(moves.turn(move, context())).rejects.toThrow(LostCopyError);
    await expect(shards.two.query("UPDATE customer SET name = 'too early'")).rejects.toMatchObject({
      code: 'AS409',
    });
    await undone();
  });

  it('finds out at once that the target of a rollback follows nobody any more', async () => {
    await run(moves, move);
    await moves.follow(move, context());
    const { rows } = await shards.one.query('SELECT subname FROM pg_subscription');
    for (const { subname } of rows)
      await shards.one
        .query(`ALTER SUBSCRIPTION ${subname} DISABLE`)
        .then(() => shards.one.query(`ALTER SUBSCRIPTION ${subname} SET (slot_name = NONE)`))
        .then(() => shards.one.query(`DROP SUBSCRIPTION ${subname}`));
    await expect(moves.lag(backwards(move), context())).rejects.toThrow(LostCopyError);
    await moves.unfence(backwards(move), context());
    await shards.two.query("UPDATE customer SET name = 'still at two'");
    await moves.finish(move, context());
    expect(await counts(shards.one)).toEqual({ customers: 0, purchases: 0 });
    for (const shard of ['one', 'two']) expect(await moves.leaks(shard, [])).toEqual([]);
  });
});
