import { eventually, within } from '@workspace/services';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PostgresMoves } from '../../../src/adapters/postgres/moves/postgres-moves.ts';
import type { MoveSpec } from '../../../src/moves/move-backend.ts';
import { backwards, context, counts, fill, lowerHalf, names, type TwoShards, twoShards } from '../shards.ts';

const lower = names(50, 'lower');
const upper = names(50, 'upper');
const all = { customers: 100, purchases: 2_000 };
const half = { customers: 50, purchases: 1_000 };
/** As a session does that damages what was copied. */
const pastTheFence = 'SET session_replication_role = replica; SET ashlar.mover = on;';
const asBefore = 'RESET session_replication_role; RESET ashlar.mover';
const soon = { withinMs: 30_000 };
const stale = { code: 'ASHLAR_SHARD_ROUTER_STALE_MOVE' };

/** The steps up to the change of the map, each as often as wanted. */
const steps = {
  prepare: (moves, move, token) => moves.prepare(move, context(token)),
  copy: (moves, move, token) => moves.copy(move, context(token)),
  lag: (moves, move, token) => moves.lag(move, context(token)),
  verify: (moves, move, token) => moves.verify(move, context(token)),
  fence: (moves, move, token) => moves.fence(move, context(token), 1_000),
  drain: (moves, move, token) => moves.drain(move, context(token)),
  recheck: (moves, move, token) => moves.recheck(move, context(token)),
  turn: (moves, move, token) => moves.turn(move, context(token)),
} satisfies Record<string, (moves: PostgresMoves, move: MoveSpec, token: bigint) => Promise<unknown>>;
const order = Object.keys(steps) as (keyof typeof steps)[];

async function run(moves: PostgresMoves, move: MoveSpec, upTo: keyof typeof steps = 'turn'): Promise<void> {
  for (const step of order.slice(0, order.indexOf(upTo) + 1)) await steps[step](moves, move, 1n);
}

/** A rollback begins with what follows already. */
async function runBack(moves: PostgresMoves, move: MoveSpec): Promise<void> {
  for (const step of order.slice(order.indexOf('lag'))) await steps[step](moves, backwards(move), 1n);
}

describe('a move between two databases of PostgreSQL', () => {
  let shards: TwoShards;
  let moves: PostgresMoves;
  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
    await fill(shards.one, [...lower, ...upper], 20);
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());
  beforeEach(async () => {
    moves = shards.moves();
    expect(await counts(shards.one)).toEqual(all);
    expect(await counts(shards.two)).toEqual({ customers: 0, purchases: 0 });
  });

  /** Resolves when a session of shard one waits for a lock. */
  const waitsForLock = () =>
    eventually(async () => {
      const { rows } = await shards.one.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
      expect(rows).not.toEqual([]);
    }, soon);

  const hasCaughtUp = (move: MoveSpec) =>
    eventually(async () => expect((await moves.lag(move, context())).lagMs).toBeLessThan(250), soon);

  /** Everything is on shard one, anybody may write there, nothing is left of moves. */
  async function expectUndone(): Promise<void> {
    expect(await counts(shards.one)).toEqual(all);
    expect(await counts(shards.two)).toEqual({ customers: 0, purchases: 0 });
    await shards.one.query('UPDATE purchase SET total = total + 1; UPDATE customer SET name = name');
    for (const shard of ['one', 'two']) expect(await moves.leaks(shard, [])).toEqual([]);
  }

  it('takes the rows of its slots along, can be turned back, and leaves nothing', async () => {
    const move = lowerHalf('first');
    expect((await moves.plan(move, AbortSignal.timeout(10_000))).obstacles).toEqual([]);
    await run(moves, move);
    expect(await counts(shards.two)).toEqual(half);
    const insert = 'INSERT INTO purchase (customer, total) VALUES ($1, 5) RETURNING id::int';
    const { rows } = await shards.two.query(insert, [lower[0]]);
    expect(rows[0].id).toBe(2_001);
    await runBack(moves, move);
    expect(await counts(shards.one)).toEqual({ customers: 100, purchases: 2_001 });
    await shards.one.query('DELETE FROM purchase WHERE id = 2001');
    await moves.finish(backwards(move), context());
    await expect(shards.two.query(insert, [lower[0]])).rejects.toMatchObject({ code: 'AS409' });
    await expectUndone();
  }, 60_000);

  it('can be turned back and forth, and a turn that is given up leaves the shards as they were', async () => {
    const move = lowerHalf('often');
    await run(moves, move);
    await shards.two.query('UPDATE purchase SET total = 7 WHERE customer = $1', [lower[0]]);
    for (const step of ['lag', 'verify', 'fence'] as const) await steps[step](moves, backwards(move), 1n);
    await moves.unfence(backwards(move), context());
    await shards.two.query('UPDATE purchase SET total = 8 WHERE customer = $1', [lower[0]]);
    await runBack(moves, move);
    await shards.one.query('UPDATE purchase SET total = total + 1 WHERE customer = $1', [lower[0]]);
    await runBack(moves, backwards(move));
    await shards.two.query('UPDATE purchase SET total = total + 1 WHERE customer = $1', [lower[0]]);
    await runBack(moves, move);
    const { rows } = await shards.one.query('SELECT DISTINCT total::int FROM purchase WHERE customer = $1', [
      lower[0],
    ]);
    expect(rows).toEqual([{ total: 10 }]);
    await moves.finish(backwards(move), context());
    await expectUndone();
  }, 60_000);

  it('is in no deadlock with a transaction that reads and then writes, when its fence goes', async () => {
    const move = lowerHalf('unhurried');
    await run(moves, move);
    await runBack(moves, move);
    const client = await shards.connect('two');
    const waiting = "SELECT FROM pg_locks WHERE relation = 'customer'::regclass AND NOT granted";
    let isFinished = false;
    const finished = moves.finish(backwards(move), context()).finally(() => {
      isFinished = true;
    });
    finished.catch(() => {}); // It reaches whoever awaits it
    while (!isFinished) {
      await client.query('BEGIN; SELECT FROM customer');
      // Until a step of the move waits for this transaction
      await within(5_000, async () => isFinished || (await shards.two.query(waiting)).rowCount || undefined);
      await client.query("UPDATE customer SET name = '' WHERE id = 'nobody'; COMMIT");
    }
    await finished;
    await expectUndone();
  }, 60_000);

  it('never lets come back to the target what it has sent to the old source', async () => {
    const move = lowerHalf('loop');
    await run(moves, move, 'recheck');
    // What is left to do after the turn takes longer than usual
    const reader = await shards.connect('one');
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM purchase');
    await moves.turn(move, context());
    for (let i = 0; i < 300; i++) {
      await shards.two.query('UPDATE purchase SET total = $2 WHERE customer = $1', [lower[0], i]);
      const { rows } = await shards.two.query(
        'SELECT DISTINCT total::int FROM purchase WHERE customer = $1',
        [lower[0]],
      );
      expect(rows).toEqual([{ total: i }]);
    }
    await reader.query('ROLLBACK');
    await runBack(moves, move);
    await moves.finish(backwards(move), context());
    await expectUndone();
  }, 60_000);

  it('keeps slots that are gone behind a fence, until they come back by a move of their own', async () => {
    await run(moves, lowerHalf('away'));
    await moves.finish(lowerHalf('away'), context());
    expect(await counts(shards.one)).toEqual(half);
    const insert = 'INSERT INTO customer VALUES ($1)';
    await expect(shards.one.query(insert, [lower[0]])).rejects.toMatchObject({ code: 'AS409' });
    for (const shard of ['one', 'two']) expect(await moves.leaks(shard, [])).toEqual([]);
    const home = { ...lowerHalf('home'), from: 'two', to: 'one' };
    await run(moves, home, 'fence');
    await moves.abort(home, context());
    await expect(shards.one.query(insert, [lower[0]])).rejects.toMatchObject({ code: 'AS409' });
    const again = { ...home, id: 'home2' };
    await run(moves, again);
    await moves.finish(again, context());
    expect(await counts(shards.one)).toEqual(all);
    await shards.one.query('UPDATE customer SET name = name');
    for (const shard of ['one', 'two']) expect(await moves.leaks(shard, [])).toEqual([]);
  }, 60_000);

  it.each(order)(
    'is undone by another process after its own died behind %s',
    async step => {
      const move = lowerHalf(`undo_${step}`);
      await run(moves, move, step);
      await moves.close();
      moves = shards.moves();
      await moves.abort(move, context(2n));
      await expectUndone();
      await expect(shards.moves().fence(move, context(3n), 1_000)).rejects.toMatchObject(stale);
    },
    60_000,
  );

  it('goes on in another process behind each step, and each step may be done twice', async () => {
    const move = lowerHalf('resumed');
    let token = 1n;
    for (const step of order) {
      await steps[step](moves, move, token);
      const before = moves;
      moves = shards.moves();
      token++;
      await steps[step](moves, move, token);
      await expect(steps[step](before, move, token - 1n)).rejects.toBeDefined();
      await expect(steps[step](before, move, token - 1n)).rejects.toMatchObject(stale);
    }
    expect(await counts(shards.two)).toEqual(half);
    await moves.abort(move, context(token));
    await expectUndone();
  }, 60_000);

  it('ends the session of a worker that another has taken over from, in the midst of its step', async () => {
    const move = lowerHalf('taken');
    await run(moves, move, 'verify');
    const writer = await shards.connect('one');
    await writer.query('BEGIN');
    await writer.query('UPDATE purchase SET total = 1 WHERE customer = $1', [upper[0]]);
    const late = moves.fence(move, context(), 60_000);
    late.catch(() => {});
    await waitsForLock();
    const undone = shards.moves().abort(move, context(2n));
    await expect(late).rejects.toBeDefined();
    await writer.query('ROLLBACK');
    await undone;
    await expectUndone();
  }, 60_000);

  it('starts its copy over when the source keeps no log for it any more, and has no gap', async () => {
    const move = lowerHalf('lost');
    await run(moves, move, 'lag');
    const slot = "FROM pg_replication_slots WHERE slot_name = 'ashlar_move_lost_a'";
    // The worker of the target connects again and again
    await eventually(async () => {
      await shards.one.query(`SELECT pg_terminate_backend(active_pid) ${slot} AND active`);
      await shards.one.query(`SELECT pg_drop_replication_slot(slot_name) ${slot}`);
    }, soon);
    await shards.one.query(
      'DELETE FROM purchase WHERE customer = $1 AND id = (SELECT min(id) FROM purchase WHERE customer = $1)',
      [lower[1]],
    );
    await expect(moves.lag(move, context())).rejects.toMatchObject({ code: 'ASHLAR_SHARD_ROUTER_LOST_COPY' });
    await run(moves, move);
    expect(await counts(shards.two)).toEqual({ customers: 50, purchases: 999 });
    await moves.abort(move, context());
    await shards.one.query('INSERT INTO purchase (customer, total) VALUES ($1, 1)', [lower[1]]);
    await expectUndone();
  }, 60_000);

  it('finds one byte that differs, one row that is missing, and one too many', async () => {
    const move = lowerHalf('verified');
    await run(moves, move, 'lag');
    await shards.two.query(`${pastTheFence} UPDATE customer SET name = 'x' || substr(name, 2) WHERE id = '${lower[3]}';
      DELETE FROM customer WHERE id = '${lower[4]}'; INSERT INTO purchase (customer, id) VALUES ('${lower[5]}', 9999999); ${asBefore}`);
    const { differences } = await moves.verify(move, context());
    expect(differences).toEqual([
      { table: 'customer', missing: [`["${lower[4]}"]`], extra: [], different: [`["${lower[3]}"]`] },
      { table: 'purchase', missing: [], extra: [`["${lower[5]}", 9999999]`], different: [] },
    ]);
    await moves.abort(move, context());
    await expectUndone();
  }, 60_000);

  it('compares again, behind the fence, what was written since it was verified', async () => {
    const move = lowerHalf('rechecked');
    await run(moves, move, 'verify');
    const writer = await shards.connect('one');
    await writer.query('BEGIN');
    await writer.query('UPDATE purchase SET total = total + 1 WHERE customer = ANY ($1)', [
      lower.slice(0, 3),
    ]);
    const fenced = moves.fence(move, context(), 30_000);
    await waitsForLock();
    await writer.query('COMMIT');
    await fenced;
    await moves.drain(move, context());
    expect(await moves.recheck(move, context())).toEqual({ rows: 60, differences: [] });
    await shards.two.query(
      `${pastTheFence} UPDATE purchase SET note = NULL WHERE customer = '${lower[2]}'; ${asBefore}`,
    );
    const { differences } = await moves.recheck(move, context());
    expect(differences.map(each => [each.table, each.different.length])).toEqual([['purchase', 20]]);
    await moves.abort(move, context());
    await expectUndone();
  }, 60_000);

  it('does not close the fence over rows that differ', async () => {
    const move = lowerHalf('differing');
    await run(moves, move, 'verify');
    await shards.one.query('UPDATE customer SET name = name WHERE id = $1', [lower[0]]);
    await hasCaughtUp(move);
    await shards.two.query(
      `${pastTheFence} UPDATE customer SET name = NULL WHERE id = '${lower[0]}'; ${asBefore}`,
    );
    await expect(moves.fence(move, context(), 1_000)).rejects.toMatchObject({
      code: 'ASHLAR_SHARD_ROUTER_MOVE_BLOCKED',
    });
    await shards.one.query('UPDATE purchase SET total = 1 WHERE customer = $1', [lower[0]]);
    await moves.abort(move, context());
    await expectUndone();
  }, 60_000);

  it('counts the target as behind while rows have not arrived, whatever else is written to the log', async () => {
    const move = lowerHalf('lagging');
    await run(moves, move, 'lag');
    const blocker = await shards.connect('two');
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE purchase IN ACCESS EXCLUSIVE MODE');
    await shards.one.query('UPDATE purchase SET total = total + 1 WHERE customer = $1', [lower[0]]);
    const first = await moves.lag(move, context());
    await shards.one.query(
      'CREATE TABLE other AS SELECT g FROM generate_series(1, 20000) g; DROP TABLE other',
    );
    const second = await moves.lag(move, context());
    expect(second.lagMs).toBeGreaterThan(first.lagMs);
    expect(second.retainedBytes).toBeGreaterThan(first.retainedBytes + 1_000_000);
    await blocker.query('ROLLBACK');
    await hasCaughtUp(move);
    await moves.abort(move, context());
    await expectUndone();
  }, 60_000);
});
