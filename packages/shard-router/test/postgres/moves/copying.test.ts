import { eventually } from '@workspace/services';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { context, counts, fill, lowerHalf, names, type TwoShards, twoShards } from '../shards.ts';

const lower = names(100, 'lower');
const upper = names(100, 'upper');

describe('the copy of a move', () => {
  let shards: TwoShards;
  beforeAll(async () => {
    // What is told goes by the rows that the server counted; without a vacuum in between, that is all of them
    shards = await twoShards({ config: { autovacuum: 'off', wal_retrieve_retry_interval: '100ms' } });
    await fill(shards.one, [...lower, ...upper], 20);
    await shards.one.query('ANALYZE');
    // The first throttled copy makes the functions
    const [moves, move] = [shards.moves({ share: 0.5 }), lowerHalf('first')];
    for (const step of ['prepare', 'copy', 'abort'] as const) await moves[step](move, context());
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());
  beforeEach(async () => expect(await counts(shards.two)).toEqual({ customers: 0, purchases: 0 }));

  /** Instead of pausing, the worker notes for how long it would have: time stands still for it. */
  const withoutPauses = `CREATE TABLE pauses (seconds float8);
    CREATE OR REPLACE FUNCTION ashlar_shards.pause(seconds float8) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO public.pauses VALUES (seconds)'`;

  it('pauses for as long as its rate says, counted in rows, and is not throttled any more afterwards', async () => {
    const [moves, move] = [shards.moves({ share: 1, rowsPerSecond: 50 }), lowerHalf('slow')];
    await moves.prepare(move, context());
    await shards.two.query(withoutPauses);
    await moves.copy(move, context());
    expect(await counts(shards.two)).toEqual({ customers: 100, purchases: 2_000 });
    const { rows } = await shards.two.query(
      'SELECT max(seconds) AS most, count(*)::int AS count FROM pauses',
    );
    // 2 000 rows at 50 a second are 40 s; a pause every three rows
    expect(rows[0].most).toBeGreaterThan(30);
    expect(rows[0].most).toBeLessThan(90);
    expect(rows[0].count).toBeGreaterThan(600);
    const left = "SELECT FROM pg_trigger WHERE tgname LIKE 'zz_ashlar_%_th'";
    expect((await shards.two.query(left)).rows).toEqual([]);
    await moves.abort(move, context());
    await shards.two.query('DROP TABLE pauses');
    expect(await moves.leaks('two', [])).toEqual([]);
  }, 60_000);

  it('pauses the longer, the longer its rows have taken', async () => {
    const [moves, move] = [shards.moves({ share: 0.01 }), lowerHalf('shared')];
    await moves.prepare(move, context());
    await shards.two.query(withoutPauses);
    const begunAt = performance.now();
    await moves.copy(move, context());
    const seconds = (performance.now() - begunAt) / 1_000;
    const { rows } = await shards.two.query('SELECT sum(seconds) AS all, count(*)::int AS count FROM pauses');
    // A pause every 200 rows of a table, 99 times as long as they took, or 199 times while two tables are copied at once
    expect(rows[0].count).toBe(10);
    expect(rows[0].all).toBeGreaterThan(0);
    expect(rows[0].all).toBeLessThan(199 * seconds);
    await moves.abort(move, context());
    await shards.two.query('DROP TABLE pauses');
  }, 60_000);

  it('tells how many rows are here, and how many there are to be', async () => {
    const [moves, move] = [shards.moves(), lowerHalf('told')];
    await moves.prepare(move, context());
    const told: { rows: number; ofRows?: number }[] = [];
    await moves.copy(move, { ...context(), progress: done => void told.push(done) });
    expect(told.at(-1)).toEqual({ rows: 2_100, ofRows: 2_100 });
    for (const { rows, ofRows } of told) expect(rows).toBeLessThanOrEqual(ofRows!);
    await moves.abort(move, context());
  }, 60_000);

  it('is stopped in a pause, and leaves nothing when it is undone', async () => {
    const [moves, move] = [shards.moves({ share: 1, rowsPerSecond: 1 }), lowerHalf('stopped')];
    await moves.prepare(move, context());
    await shards.two.query(
      "CREATE OR REPLACE FUNCTION ashlar_shards.pause(seconds float8) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(seconds)'",
    );
    const end = new AbortController();
    const copying = moves.copy(move, { token: 1n, signal: end.signal, progress() {} });
    copying.catch(() => {}); // It reaches whoever awaits it
    await eventually(
      async () =>
        expect(
          (await shards.two.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).rows,
        ).not.toEqual([]),
      { withinMs: 30_000 },
    );
    end.abort();
    await expect(copying).rejects.toBeDefined();
    await shards.moves().abort(move, context(2n));
    for (const shard of ['one', 'two']) expect(await shards.moves().leaks(shard, [])).toEqual([]);
  }, 60_000);
});
