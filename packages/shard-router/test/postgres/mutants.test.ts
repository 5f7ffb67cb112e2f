import { eventually } from '@workspace/services';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PostgresMoves } from '../../src/adapters/postgres/moves/postgres-moves.ts';
import type { MoveBackend, MoveSpec } from '../../src/moves/move-backend.ts';
import { altered } from '../support/altered.ts';
import { context, counts, fill, lowerHalf, names, type TwoShards, twoShards } from './shards.ts';

const lower = names(5, 'lower');
const upper = names(5, 'upper');
const fewer = `DELETE FROM purchase WHERE customer = '${lower[0]}' AND id % 2 = 0`;
const unchecked: Partial<MoveBackend> = {
  drain: async () => {},
  recheck: async () => ({ rows: 0, differences: [] }),
};

/** Bugs that others had, each in a move between real servers: what is written is lost with them, and not without. */
describe('a move between databases of PostgreSQL', () => {
  let shards: TwoShards;
  let moves: PostgresMoves;
  let count = 0;
  let move: MoveSpec;
  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
    await shards.one.query('CREATE TABLE unrelated (id int PRIMARY KEY)');
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());
  beforeEach(async () => {
    await fill(shards.one, [...lower, ...upper], 10);
    moves = shards.moves();
    move = lowerHalf(`mutant${count++}`);
    for (const step of ['prepare', 'copy', 'lag', 'verify'] as const) await moves[step](move, context());
    return async () => {
      await shards.moves().abort(move, context(9n));
      for (const shard of ['one', 'two'] as const) expect(await moves.leaks(shard, [])).toEqual([]);
      await shards.one.query('TRUNCATE customer, purchase');
    };
  });

  /** Ids of the moved purchases of one customer. */
  const purchases = async (client: pg.Client) => {
    const { rows } = await client.query('SELECT id::int FROM purchase WHERE customer = $1 ORDER BY id', [
      lower[0],
    ]);
    return rows.map(row => row.id);
  };

  /** Whether the old source takes a write once the slots have changed hands, and whether that is at the new one. */
  const lateWrite = async (backend: MoveBackend, write: () => Promise<unknown>) => {
    await backend.fence(move, context(), 5_000);
    await backend.drain(move, context());
    await backend.recheck(move, context());
    await backend.turn(move, context());
    await backend.follow!(move, context());
    const acknowledged = await write().then(
      () => true,
      () => false,
    );
    const isSame = String(await purchases(shards.one)) === String(await purchases(shards.two));
    return { acknowledged, isSame };
  };

  describe('with the position read before the fence', () => {
    const mutant = () =>
      altered<MoveBackend>(moves, {
        ...unchecked,
        async fence(...args) {
          await moves.drain(move, context());
          await moves.fence(...args);
        },
      });

    it.each(['mutant', 'real'] as const)(
      'a transaction that was open: %s',
      async which => {
        // Rows arrive only when this lock goes
        const blocker = await shards.connect('two');
        const writer = await shards.connect('one');
        await writer.query('BEGIN');
        await writer.query(fewer);
        const backend = which === 'mutant' ? mutant() : moves;
        const fenced = backend.fence(move, context(), 30_000);
        await eventually(
          async () =>
            expect(
              (
                await shards.one.query(
                  "SELECT FROM pg_locks WHERE relation = 'purchase'::regclass AND NOT granted",
                )
              ).rows,
            ).not.toEqual([]),
          { withinMs: 30_000 },
        );
        await blocker.query('BEGIN');
        await blocker.query('LOCK TABLE purchase IN SHARE ROW EXCLUSIVE MODE');
        await writer.query('COMMIT');
        await fenced;
        let isDrained = false;
        const drained = backend.drain(move, context()).then(() => {
          isDrained = true;
        });
        if (which === 'mutant') {
          await drained;
          expect(await purchases(shards.one)).toHaveLength(5);
          expect(await purchases(shards.two)).toHaveLength(10);
          await blocker.query('ROLLBACK');
          return;
        }
        expect(await purchases(shards.two)).toHaveLength(10);
        expect(isDrained).toBe(false);
        await blocker.query('ROLLBACK');
        await drained;
        expect(await purchases(shards.two)).toEqual(await purchases(shards.one));
      },
      60_000,
    );
  });

  describe('with a check of an epoch instead of the fence', () => {
    /** A trigger that looks the epoch up, and a fence that changes it once all writers have ended. */
    const mutant = () =>
      altered<MoveBackend>(moves, {
        async recheck() {
          return { rows: 0, differences: [] };
        },
        async fence() {
          await shards.one.query(
            'BEGIN; LOCK TABLE purchase IN SHARE ROW EXCLUSIVE MODE; UPDATE epoch SET n = 2; COMMIT',
          );
          // Noted as closed, or `turn` refuses; it stands at no table
          await shards.one.query(
            `INSERT INTO ashlar_shards.fence (id, slices, restored, attempt) VALUES ($1, '[]', '[]', 1)`,
            [`${move.id}_a`],
          );
        },
      });

    it.each(['mutant', 'real'] as const)(
      'a transaction with a snapshot of before: %s',
      async which => {
        await shards.one.query(`CREATE TABLE epoch (n int); INSERT INTO epoch VALUES (1);
        CREATE FUNCTION check_epoch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF (SELECT n FROM epoch) <> 1 THEN RAISE EXCEPTION 'elsewhere' USING ERRCODE = 'AS409'; END IF;
          IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$;
        CREATE TRIGGER check_epoch BEFORE INSERT OR UPDATE OR DELETE ON purchase FOR EACH ROW EXECUTE FUNCTION check_epoch()`);
        const early = await shards.connect('one');
        await early.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
        await early.query('SELECT FROM unrelated');
        const found = await lateWrite(which === 'mutant' ? mutant() : moves, async () => {
          await early.query(fewer);
          await early.query('COMMIT');
        });
        await early.query('ROLLBACK');
        await shards.one.query(
          'DROP TRIGGER check_epoch ON purchase; DROP FUNCTION check_epoch(); DROP TABLE epoch',
        );
        expect(found).toEqual({ acknowledged: which === 'mutant', isSame: which === 'real' });
      },
      60_000,
    );
  });

  describe('with a fence that forgets', () => {
    it.each([
      ['DELETE', 'bd', fewer],
      ['TRUNCATE', 'tr', 'TRUNCATE purchase'],
    ])(
      '%s',
      async (_, suffix, statement) => {
        const mutant = altered<MoveBackend>(moves, {
          async recheck() {
            return { rows: 0, differences: [] };
          },
          async fence(...args) {
            await moves.fence(...args);
            await shards.one.query(`DROP TRIGGER zz_ashlar_${move.id}_a_${suffix} ON purchase`);
          },
        });
        await moves.fence(move, context(), 5_000);
        await expect(shards.one.query(statement)).rejects.toBeDefined();
        await moves.unfence(move, context());
        expect(await lateWrite(mutant, () => shards.one.query(statement))).toEqual({
          acknowledged: true,
          isSame: false,
        });
      },
      60_000,
    );
  });

  it('with a lag by positions of the whole log: what is sent is taken for what is there', async () => {
    const blocker = await shards.connect('two');
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE purchase IN SHARE ROW EXCLUSIVE MODE');
    await shards.one.query(fewer);
    const slot = `ashlar_move_${move.id}_a`;
    // What others write to the log is sent, too: the position goes on, whether rows arrive or not
    await eventually(
      async () => {
        const { rows } = await shards.one.query(
          `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), r.sent_lsn)::int AS lag FROM pg_stat_replication r
           JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE s.slot_name = $1`,
          [slot],
        );
        expect(rows).toEqual([{ lag: 0 }]);
      },
      { withinMs: 30_000 },
    );
    expect((await moves.lag(move, context())).lagMs).toBeGreaterThan(0);
    expect(await purchases(shards.two)).toHaveLength(10);
    await blocker.query('ROLLBACK');
    await eventually(async () => expect((await moves.lag(move, context())).lagMs).toBeLessThan(250), {
      withinMs: 30_000,
    });
    expect((await counts(shards.two)).purchases).toBe(45);
  }, 60_000);
});
