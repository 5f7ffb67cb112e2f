import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { PostgresMoves } from '../../../src/adapters/postgres/moves/postgres-moves.ts';
import { gidOf, newId } from '../../../src/two-phase/names.ts';
import { SqlLedger } from '../../../src/two-phase/sql-ledger.ts';
import { context, fill, lowerHalf, names, type TwoShards, twoShards } from '../shards.ts';

const mine = names(3, 'lower');
const others = names(3, 'upper');
const move = lowerHalf('fenced');

describe('the fence of a move', () => {
  let shards: TwoShards;
  beforeAll(async () => {
    shards = await twoShards({
      config: { max_prepared_transactions: 5, wal_retrieve_retry_interval: '100ms' },
    });
    await fill(shards.one, [...mine, ...others], 3);
    await shards.one.query('CREATE TABLE unrelated (id int PRIMARY KEY)');
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());

  const denied = { code: 'AS409' };

  describe('of the source', () => {
    const open: pg.Client[] = [];
    beforeAll(async () => {
      const moves = shards.moves();
      await moves.prepare(move, context());
      await moves.copy(move, context());
      await moves.verify(move, context());
      // Sessions with snapshots of a time before the fence
      for (const isolation of ['REPEATABLE READ', 'SERIALIZABLE', 'READ COMMITTED']) {
        const client = await shards.connect('one');
        await client.query('PREPARE raise AS UPDATE purchase SET total = total + 1 WHERE customer = $1');
        await client.query(`BEGIN ISOLATION LEVEL ${isolation}`);
        await client.query('SELECT count(*) FROM unrelated');
        open.push(client);
      }
      await moves.fence(move, context(), 1_000);
    }, 60_000);

    it.each([0, 1, 2])('refuses prepared statements in transactions that began before it (%i)', async at => {
      const execute = `EXECUTE raise('${mine[0]}')`;
      await expect(open[at]!.query(execute)).rejects.toMatchObject(denied);
      await open[at]!.query('ROLLBACK');
    });

    it.each([
      ['INSERT', `INSERT INTO purchase (customer, total) VALUES ('${mine[0]}', 1)`],
      ['UPDATE', `UPDATE purchase SET total = 0 WHERE customer = '${mine[0]}'`],
      ['DELETE', `DELETE FROM purchase WHERE customer = '${mine[0]}'`],
      [
        'ON CONFLICT',
        `INSERT INTO customer VALUES ('${mine[0]}', '') ON CONFLICT (id) DO UPDATE SET name = 'new'`,
      ],
      [
        'MERGE',
        `MERGE INTO customer c USING (VALUES ('${mine[0]}')) v (id) ON v.id = c.id WHEN MATCHED THEN DELETE`,
      ],
      [
        'a new key from outside',
        `UPDATE purchase SET customer = '${mine[0]}' WHERE customer = '${others[0]}'`,
      ],
      [
        'a new key to the outside',
        `UPDATE purchase SET customer = '${others[0]}' WHERE customer = '${mine[0]}'`,
      ],
      ['a statement over all rows', 'UPDATE purchase SET total = 0'],
      [
        'a writing CTE',
        `WITH w AS (DELETE FROM purchase WHERE customer = '${mine[0]}' RETURNING 1) SELECT * FROM w`,
      ],
    ])('refuses %s', async (_, statement) => {
      await expect(shards.one.query(statement)).rejects.toMatchObject(denied);
    });

    it('refuses a session that plays a replica, and a trigger that rewrites the key after ours', async () => {
      const client = await shards.connect('one');
      await client.query('SET session_replication_role = replica');
      await expect(client.query(`DELETE FROM purchase WHERE customer = '${mine[0]}'`)).rejects.toMatchObject(
        denied,
      );
      await client.query('RESET session_replication_role');
      await client.query(`CREATE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.customer := '${mine[0]}'; RETURN NEW; END $$;
        CREATE TRIGGER zzz_rewrite BEFORE INSERT ON purchase FOR EACH ROW EXECUTE FUNCTION rewrite()`);
      const insert = `INSERT INTO purchase (customer, total) VALUES ('${others[0]}', 1)`;
      await expect(client.query(insert)).rejects.toMatchObject(denied);
      await client.query('DROP TRIGGER zzz_rewrite ON purchase');
    });

    it('refuses TRUNCATE, with an error of its own', async () => {
      await expect(shards.one.query('TRUNCATE purchase')).rejects.toMatchObject({ code: '55006' });
      await expect(shards.one.query('TRUNCATE customer CASCADE')).rejects.toMatchObject({ code: '55006' });
    });

    it('lets reads pass, and writes of other rows', async () => {
      const { rows } = await shards.one.query('SELECT * FROM customer WHERE id = $1 FOR UPDATE', [mine[0]]);
      expect(rows).toHaveLength(1);
      await shards.one.query('UPDATE purchase SET total = total + 1 WHERE customer = $1', [others[0]]);
      await shards.one.query('DELETE FROM purchase WHERE customer = $1', [others[1]]);
    });

    it('tells in the error what to do', async () => {
      const error = await shards.one
        .query(`DELETE FROM purchase WHERE customer = '${mine[0]}'`)
        .catch(each => each);
      expect(error.message).toBe('these rows of purchase are on another shard');
      expect(error.hint).toContain('router');
    });

    it('opens for another attempt, and is closed again for transactions of the time between', async () => {
      const moves = shards.moves();
      await moves.unfence(move, context());
      await shards.one.query('UPDATE purchase SET total = total + 1 WHERE customer = $1', [mine[0]]);
      const between = await shards.connect('one');
      await between.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await between.query('SELECT count(*) FROM unrelated');
      await moves.fence(move, context(), 1_000);
      const write = between.query('UPDATE purchase SET total = total + 1 WHERE customer = $1', [mine[0]]);
      await expect(write).rejects.toMatchObject(denied);
      await between.query('ROLLBACK');
    });

    it('is found out when somebody disables a trigger of it', async () => {
      const moves = shards.moves();
      await moves.drain(move, context());
      expect(await moves.recheck(move, context())).toMatchObject({ differences: [] });
      for (const suffix of ['tr', 'bd']) {
        const trigger = `TRIGGER zz_ashlar_${move.id}_a_${suffix}`;
        await shards.one.query(`ALTER TABLE purchase DISABLE ${trigger}`);
        await expect(moves.recheck(move, context())).rejects.toMatchObject({
          code: 'ASHLAR_SHARD_ROUTER_MOVE_BLOCKED',
        });
        await shards.one.query(`ALTER TABLE purchase ENABLE ALWAYS ${trigger}`);
        expect(await moves.recheck(move, context())).toMatchObject({ differences: [] });
      }
    });

    it('is open again after the move was aborted', async () => {
      const moves = shards.moves();
      await moves.abort(move, context());
      await shards.one.query('UPDATE purchase SET total = total + 1 WHERE customer = $1', [mine[0]]);
      expect(await moves.leaks('one', [])).toEqual([]);
      expect(await moves.leaks('two', [])).toEqual([]);
    });
  });

  describe('of the target', () => {
    const again = lowerHalf('again');
    it('refuses whoever writes there before the map says so, and lets the copy in', async () => {
      const moves = shards.moves();
      await moves.prepare(again, context());
      const insert = `INSERT INTO customer VALUES ('${mine[0]}', 'rogue')`;
      await expect(shards.two.query(insert)).rejects.toMatchObject(denied);
      await moves.copy(again, context());
      const { rows } = await shards.two.query('SELECT id FROM customer ORDER BY id');
      expect(rows.map(each => each.id)).toEqual([...mine].sort());
      await expect(shards.two.query('UPDATE customer SET name = NULL')).rejects.toMatchObject(denied);
      await moves.abort(again, context());
      await shards.two.query(insert);
      await shards.two.query('DELETE FROM customer');
    }, 30_000);
  });

  describe('whose source is busy', () => {
    const busy = lowerHalf('busy');

    it.each(['commit', 'abort'] as const)(
      'by a transaction over several shards, whose process has died, settles it first: %s',
      async verdict => {
        const moves = shards.moves();
        const move = lowerHalf(`doubt_${verdict}`);
        const client = await shards.connect('one');
        for (const each of [shards.one, shards.two]) await new SqlLedger(each).ready('');
        const id = newId('two', Date.now());
        await moves.prepare(move, context());
        await moves.copy(move, context());
        await moves.verify(move, context());
        await client.query('BEGIN');
        await client.query('UPDATE purchase SET note = $1 WHERE customer = $2', [{ verdict }, mine[0]]);
        await new SqlLedger(client).prepare(gidOf('shards', id, 'one'));
        if (verdict === 'commit') await new SqlLedger(shards.two).decide(id, 'shards', ['one']);
        expect(
          (await moves.plan(lowerHalf('later'), AbortSignal.timeout(10_000))).obstacles,
        ).not.toContainEqual(expect.objectContaining({ kind: 'prepared_transaction' }));
        // One that is young may still be about to commit
        await vi.waitFor(() => moves.fence(move, context(), 50), { timeout: 10_000 });
        const { rows } = await shards.one.query(
          'SELECT note, (SELECT count(*)::int FROM pg_prepared_xacts) AS waiting FROM purchase WHERE customer = $1',
          [mine[0]],
        );
        expect(rows[0].waiting).toBe(0);
        expect(rows.filter(({ note }) => note?.verdict === verdict)).toHaveLength(
          verdict === 'commit' ? rows.length : 0,
        );
        await moves.abort(move, context());
        await shards.one.query("DELETE FROM ashlar_shards.move; UPDATE purchase SET note = '{}'");
        await shards.two.query('DELETE FROM ashlar_shards.move');
      },
      60_000,
    );

    it.each([
      ['a transaction', 'ROLLBACK'],
      ['a prepared transaction', "ROLLBACK PREPARED 'of somebody'"],
    ])(
      'by %s gives up in time, with nothing locked',
      async (_, end) => {
        const moves = shards.moves();
        const client = await shards.connect('one');
        await moves.prepare(busy, context());
        await moves.copy(busy, context());
        await moves.verify(busy, context());
        await client.query('BEGIN');
        await client.query('UPDATE purchase SET total = 1 WHERE customer = $1', [others[0]]);
        if (end !== 'ROLLBACK') await client.query("PREPARE TRANSACTION 'of somebody'");
        await expect(moves.fence(busy, context(), 50)).rejects.toMatchObject({
          code: 'ASHLAR_SHARD_ROUTER_FENCE_BUSY',
          retryable: true,
        });
        await shards.one.query('UPDATE purchase SET total = total + 1 WHERE customer = $1', [mine[0]]);
        await client.query(end);
        await moves.fence(busy, context(), 1_000);
        await moves.abort({ ...busy }, context());
        await shards.one.query("DELETE FROM ashlar_shards.move; UPDATE purchase SET note = '{}'");
        await shards.two.query('DELETE FROM ashlar_shards.move');
      },
      60_000,
    );
  });

  it('looks nothing up in the catalogs within the pause but its own triggers', async () => {
    const asked: string[] = [];
    const client = (at: 0 | 1) => {
      const made = new pg.Client({ connectionString: shards.servers[at].url });
      const query = made.query.bind(made) as (text: string, values?: unknown[]) => Promise<pg.QueryResult>;
      const recorded = (text: string, values?: unknown[]) => {
        asked.push(text);
        return query(text, values);
      };
      return Object.assign(made, { query: recorded });
    };
    const admin = (at: 0 | 1) => ({
      client: () => client(at),
      replication: `host=127.0.0.1 port=${shards.servers[at].port} user=postgres dbname=postgres`,
    });
    const moves = new PostgresMoves({ one: admin(0), two: admin(1) }, { share: 1 });
    onTestFinished(() => moves.close());
    const quick = lowerHalf('quick');
    await moves.prepare(quick, context());
    await moves.copy(quick, context());
    await moves.verify(quick, context());
    const closing = () => {
      asked.length = 0;
    };
    await moves.fence(quick, { ...context(), closing }, 1_000);
    expect(asked[0]).toContain('LOCK TABLE');
    await moves.drain(quick, context());
    expect(await moves.recheck(quick, context())).toMatchObject({ differences: [] });
    await moves.turn(quick, context());
    expect(asked.filter(text => text.includes('pg_depend'))).toEqual([]);
    const [last, set] = ['pg_sequence_last_value', 'setval'].map(each =>
      asked.filter(text => text.includes(each)),
    );
    expect([last!.length, set!.length]).toEqual([2, 1]);
    const number = 'SELECT last_value::int AS last FROM purchase_id_seq';
    const [{ rows: here }, { rows: there }] = await Promise.all([
      shards.one.query(number),
      shards.two.query(number),
    ]);
    expect(there).toEqual(here);
    // Whoever did not close the fence looks them up
    await shards.one.query("SELECT nextval('purchase_id_seq')");
    await moves.turn(quick, context());
    expect((await shards.two.query(number)).rows[0].last).toBe(here[0].last + 1);
    await moves.abort(quick, context());
  }, 60_000);

  // citus#1437: foreign keys led to deadlocks with a move
  describe('that is closed while somebody who writes one table goes on to another', () => {
    const waiting = async () => {
      const { rows } = await shards.one.query(
        "SELECT FROM pg_locks WHERE NOT granted AND mode = 'ExclusiveLock' AND relation = 'purchase'::regclass",
      );
      return rows.length;
    };
    async function writing(name: string) {
      const moves = shards.moves();
      const each = lowerHalf(name);
      await moves.prepare(each, context());
      await moves.copy(each, context());
      await moves.verify(each, context());
      const writer = await shards.connect('one');
      await writer.query('BEGIN');
      await writer.query(`UPDATE purchase SET total = total + 1 WHERE customer = '${others[0]}'`);
      return { moves, each, writer };
    }
    const update = `UPDATE customer SET name = 'another' WHERE id = `;

    it('waits for them, and keeps neither from its end', async () => {
      const { moves, each, writer } = await writing('orders');
      const closing = moves.fence(each, context(), 60_000);
      await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
      await writer.query(`${update}'${others[0]}'`);
      await writer.query('COMMIT');
      await closing;
      await expect(shards.one.query(`${update}'${mine[0]}'`)).rejects.toMatchObject(denied);
      await moves.abort(each, context());
    }, 60_000);

    it('leaves no table closed when they take too long', async () => {
      const { moves, each, writer } = await writing('too_long');
      await expect(moves.fence(each, context(), 200)).rejects.toMatchObject({
        code: 'ASHLAR_SHARD_ROUTER_FENCE_BUSY',
      });
      await shards.one.query(`${update}'${mine[0]}'`);
      await writer.query('COMMIT');
      await moves.fence(each, context(), 10_000);
      for (const id of [
        `${update}'${mine[0]}'`,
        `UPDATE purchase SET total = 0 WHERE customer = '${mine[0]}'`,
      ])
        await expect(shards.one.query(id)).rejects.toMatchObject(denied);
      await moves.abort(each, context());
    }, 60_000);
  });

  it('ends at one table while somebody who writes another of them goes on to it', async () => {
    const moves = shards.moves();
    const undone = lowerHalf('undone');
    await moves.prepare(undone, context());
    await moves.copy(undone, context());
    await moves.verify(undone, context());
    await moves.fence(undone, context(), 1_000);
    const triggersOf = async (table: string) => {
      const text = 'SELECT tgname FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname LIKE $2';
      return (await shards.one.query(text, [table, '%undone%'])).rowCount!;
    };
    const before = await triggersOf('customer');
    const writer = await shards.connect('one');
    await writer.query('BEGIN');
    await writer.query(`UPDATE purchase SET total = total + 1 WHERE customer = '${others[0]}'`);
    const aborting = moves.abort(undone, context());
    await expect.poll(() => triggersOf('customer'), { timeout: 20_000 }).toBeLessThan(before);
    await writer.query(`UPDATE customer SET name = 'another' WHERE id = '${others[0]}'`);
    await writer.query('COMMIT');
    await aborting;
    expect([await triggersOf('customer'), await triggersOf('purchase')]).toEqual([0, 0]);
  }, 60_000);
});
