import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresMoves } from '../../src/adapters/postgres/moves/postgres-moves.ts';
import { run, step } from '../../src/conformance/steps.ts';
import { FenceBusyError, MoveAbortedError } from '../../src/errors/moves.ts';
import type { MoveSpec } from '../../src/moves/move-backend.ts';
import {
  backwards,
  context,
  fill,
  lowerHalf,
  moverOf,
  names,
  type TwoShards,
  twoShards,
} from '../postgres/shards.ts';
import { halfOf } from '../support/half.ts';

const lower = names(10, 'lower');
const upper = names(10, 'upper');
const spec = { key: ['id'], primaryKey: ['id'], columns: { id: 'text' } } as const;

/** What users of tools that move rows have reported of what else goes on in their databases, on ours. */
describe('a move', () => {
  let shards: TwoShards;
  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms', max_replication_slots: 20 } });
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());

  const both = async (statement: string) => {
    for (const client of [shards.one, shards.two]) await client.query(statement);
  };
  const leaksNothing = async () => {
    for (const shard of ['one', 'two'] as const) expect(await shards.moves().leaks(shard, [])).toEqual([]);
  };
  /** Ends a move that is turned. */
  const ended = async (moves: PostgresMoves, move: MoveSpec) => {
    await moves.follow(move, context());
    await moves.finish(move, context());
    await leaksNothing();
  };

  // citusdata/citus#6873: a publication of all tables, as tools for change data capture make it. pgdogdev/pgdog#914: a limit of time for idle
  // transactions. What is scanned in a serializable transaction makes those of others fail
  it('goes on beside a publication of all tables and in databases where transactions are serializable, and locks nothing by reading', async () => {
    await both(`CREATE PUBLICATION cdc FOR ALL TABLES; ALTER DATABASE postgres SET default_transaction_isolation = 'serializable';
      ALTER DATABASE postgres SET idle_in_transaction_session_timeout = '500ms'`);
    const move = lowerHalf('serial');
    await fill(shards.one, lower, 5);
    const bystander = await shards.connect('one');
    await bystander.query('SET idle_in_transaction_session_timeout = 0');
    const moves = shards.moves();
    await run(moves, move, { to: 'copy' });
    await bystander.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
    await bystander.query('SELECT count(*) FROM purchase');
    await run(moves, move, { from: 'lag', to: 'verify' });
    const { rows } = await shards.one.query(
      `SELECT DISTINCT a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.mode = 'SIReadLock'`,
    );
    expect(rows.map(({ name }) => name)).toEqual(['']);
    await bystander.query('COMMIT');
    await shards.one.query(`UPDATE purchase SET total = total + 1; DELETE FROM purchase WHERE id % 5 = 0`);
    await run(moves, move, { from: 'fence' });
    await shards.two.query('UPDATE purchase SET total = total + 1');
    await ended(moves, move);
    expect((await shards.two.query('SELECT FROM purchase')).rowCount).toBe(40);
    await both(`DROP PUBLICATION cdc; ALTER DATABASE postgres RESET ALL`);
    const back = { ...backwards(move), id: 'serialback' };
    await run(moves, back);
    await ended(moves, back);
    await both('TRUNCATE customer, purchase');
  }, 120_000);

  // A table by months gets its next partition whenever its time has come
  it('takes along rows of partitions that are made after it has begun', async () => {
    const make = (name: string, from: string, to: string) =>
      both(`CREATE TABLE ${name} PARTITION OF events FOR VALUES FROM ('${from}') TO ('${to}')`);
    await both('CREATE TABLE events (id text, at date, n int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)');
    await make('january', '2026-01-01', '2026-02-01');
    const tables = {
      events: { key: ['id'], primaryKey: ['id', 'at'], columns: { id: 'text', at: 'date', n: 'int4' } },
    } as const;
    const move = halfOf({ key: 'text', slots: 1_024, tables }, 'months');
    const put = (at: string) =>
      shards.one.query('INSERT INTO events SELECT id, $2, 1 FROM unnest($1::text[]) id', [lower, at]);
    await put('2026-01-10');
    const moves = shards.moves();
    await run(moves, move, { to: 'copy' });
    await make('february', '2026-02-01', '2026-03-01');
    await put('2026-02-10');
    await run(moves, move, { from: 'lag', to: 'verify' });
    await make('march', '2026-03-01', '2026-04-01');
    await put('2026-03-10');
    await shards.one.query(
      `UPDATE march SET n = 2; UPDATE events SET at = '2026-03-11' WHERE at = '2026-02-10'`,
    );
    await step(moves, move, 'fence');
    for (const statement of [
      'UPDATE march SET n = 3',
      `INSERT INTO march SELECT id, '2026-03-20' FROM january`,
    ])
      await expect(shards.one.query(statement)).rejects.toMatchObject({ code: 'AS409' });
    await run(moves, move, { from: 'drain' });
    const rows = async (client: pg.Client) =>
      (await client.query('SELECT * FROM events ORDER BY id, at')).rows;
    expect(await rows(shards.two)).toEqual(await rows(shards.one));
    expect(await rows(shards.two)).toHaveLength(30);
    await ended(moves, move);
    await both('DROP TABLE events');
  }, 60_000);

  // pgdogdev/pgdog#576 and #671
  it('carries on sequences that count down, and those that only a default names', async () => {
    await both(`CREATE SEQUENCE numbers; CREATE TABLE tickets (id text, n bigint DEFAULT nextval('numbers'), down int GENERATED BY DEFAULT AS IDENTITY
      (INCREMENT BY -1), far bigint GENERATED BY DEFAULT AS IDENTITY, PRIMARY KEY (id, n))`);
    // One that begins elsewhere, beyond what the others have
    await shards.two.query('ALTER TABLE tickets ALTER far SET MINVALUE 1000000 SET START 1000000 RESTART');
    const move = halfOf(
      { key: 'text', slots: 1_024, tables: { tickets: { ...spec, primaryKey: ['id', 'n'] as never } } },
      'numbers',
    );
    for (const id of lower) await shards.one.query('INSERT INTO tickets (id) VALUES ($1)', [id]);
    const moves = shards.moves();
    await run(moves, move);
    const { rows } = await shards.two.query(
      'INSERT INTO tickets (id) VALUES ($1) RETURNING n::int, down, far::int',
      [lower[0]],
    );
    expect(rows).toEqual([{ n: 11, down: -11, far: 1_000_000 }]);
    await ended(moves, move);
    await both('DROP TABLE tickets; DROP SEQUENCE numbers');
  }, 60_000);

  // cockroachdb/docs#15717: locks of rows were lost when their range went elsewhere
  it('waits for who holds rows FOR UPDATE, and for nobody who only reads', async () => {
    await fill(shards.one, lower, 1);
    const [reader, holder] = [await shards.connect('one'), await shards.connect('one')];
    const move = lowerHalf('locks');
    const moves = shards.moves();
    await run(moves, move, { to: 'verify' });
    for (const client of [reader, holder]) await client.query('BEGIN');
    await reader.query('SELECT FROM purchase');
    await holder.query('SELECT FROM customer WHERE id = $1 FOR UPDATE', [lower[0]]);
    await expect(moves.fence(move, context(), 200)).rejects.toThrow(FenceBusyError);
    await holder.query('COMMIT');
    await run(moves, move, { from: 'fence', to: 'recheck' });
    await reader.query('SELECT FROM purchase');
    await reader.query('COMMIT');
    await moves.abort(move, context());
    await leaksNothing();
    await both('TRUNCATE customer, purchase');
  }, 60_000);

  // vitessio/vitess#16794
  it('does not turn where the way back cannot be followed', async () => {
    await fill(shards.one, lower, 1);
    const [one, two] = shards.servers;
    const client = (at: 0 | 1) => () => new pg.Client({ connectionString: shards.servers[at].url });
    const wrong = new PostgresMoves(
      {
        one: {
          client: client(0),
          replication: `host=127.0.0.1 port=${one.port} user=postgres dbname=postgres`,
        },
        two: {
          client: client(1),
          replication: `host=127.0.0.1 port=${two.port} user=nobody dbname=postgres`,
        },
      },
      { share: 1 },
    );
    const move = lowerHalf('noway');
    await run(wrong, move, { to: 'lag' });
    await expect(step(wrong, move, 'verify')).rejects.toThrow('nobody');
    await shards.one.query('UPDATE purchase SET total = 0');
    await wrong.abort(move, context());
    await wrong.close();
    await leaksNothing();
    await both('TRUNCATE customer, purchase');
  }, 60_000);

  // citusdata/citus#6437: moves at once, which had the publications and slots of each other
  it('goes beside another in the opposite direction, while rows of both are written', async () => {
    await fill(shards.one, lower, 2);
    await fill(shards.two, upper, 2);
    const there = lowerHalf('there');
    const here: MoveSpec = { ...backwards(there), id: 'here', slices: [{ from: 512, to: 1_024 }] };
    let isOver = false;
    const last = new Map<string, string>();
    const writing = async (id: string, a: pg.Client, b: pg.Client) => {
      for (let n = 0; !isOver; n++) {
        const value = `${id} ${n}`;
        for (const client of n % 2 === 0 ? [a, b] : [b, a]) {
          const found = await client
            .query('UPDATE customer SET name = $2 WHERE id = $1', [id, value])
            .catch(error => {
              expect(error).toMatchObject({ code: 'AS409' });
            });
          if (found?.rowCount !== 1) continue;
          last.set(id, value);
          break;
        }
        await new Promise(resolve => setTimeout(resolve, 5));
      }
    };
    const clients = await Promise.all([shards.connect('one'), shards.connect('two')]);
    const writers = [...lower, ...upper].map(id => writing(id, ...clients));
    const [a, b] = [shards.moves(), shards.moves()];
    // Steps of both at the same time, as two processes have them
    const moving = async (moves: PostgresMoves, move: MoveSpec) => {
      await run(moves, move, { to: 'recheck' });
      await step(moves, move, 'turn');
      await moves.follow(move, context());
    };
    await Promise.all([moving(a, there), moving(b, here)]).finally(() => {
      isOver = true;
    });
    await Promise.all(writers);
    const names = async (client: pg.Client, ids: readonly string[]) =>
      (await client.query('SELECT name FROM customer WHERE id = ANY ($1) ORDER BY id', [ids])).rows.map(
        ({ name }) => name,
      );
    const wanted = (ids: readonly string[]) => ids.toSorted().map(id => last.get(id));
    expect(await names(shards.two, lower)).toEqual(wanted(lower));
    expect(await names(shards.one, upper)).toEqual(wanted(upper));
    await a.finish(there, context());
    await b.finish(here, context());
    await leaksNothing();
    const count = async (client: pg.Client) =>
      (await client.query('SELECT count(*)::int AS n FROM customer')).rows[0].n;
    expect([await count(shards.one), await count(shards.two)]).toEqual([10, 10]);
    const back: MoveSpec = { ...backwards(there), id: 'back' };
    await run(a, back);
    await ended(a, back);
    await both('TRUNCATE customer, purchase');
  }, 120_000);

  // citusdata/citus#6369
  it('is refused to a role from which policies hide rows', async () => {
    await both(
      `CREATE ROLE mover LOGIN; GRANT ALL ON customer, purchase TO mover; ALTER TABLE customer ENABLE ROW LEVEL SECURITY`,
    );
    const shardOf = (at: 0 | 1) => ({
      client: () =>
        new pg.Client({ connectionString: shards.servers[at].url.replace('//postgres', '//mover') }),
      replication: '',
    });
    const blind = new PostgresMoves({ one: shardOf(0), two: shardOf(1) }, { share: 1 });
    const { obstacles } = await blind.plan(lowerHalf('blind'), AbortSignal.timeout(60_000));
    expect(obstacles.filter(({ kind }) => kind === 'row_security')).toMatchObject([
      { shard: 'one', table: 'customer', words: expect.stringContaining('BYPASSRLS') },
      { shard: 'two', table: 'customer' },
    ]);
    await blind.close();
    expect((await shards.moves().plan(lowerHalf('seeing'), AbortSignal.timeout(60_000))).obstacles).toEqual(
      [],
    );
    await both('ALTER TABLE customer DISABLE ROW LEVEL SECURITY; DROP OWNED BY mover; DROP ROLE mover');
  }, 60_000);

  // pgdogdev/pgdog#914
  it('is undone by itself when the source keeps more log than it may', async () => {
    await fill(shards.one, lower, 1);
    const mover = await moverOf(shards.moves(), { retainedBytes: 1 });
    const moving = mover.move({ kind: 'merge', shards: ['one'], into: 'two' });
    await expect(moving).rejects.toThrow(MoveAbortedError);
    await expect(moving).rejects.toThrow(/keeps \d+ bytes of log for it, more than 1/);
    await shards.one.query('UPDATE purchase SET total = 0');
    expect((await mover.status()).map.moves).toEqual([]);
    expect((await shards.two.query('SELECT FROM purchase')).rows).toEqual([]);
    await leaksNothing();
    await both('TRUNCATE customer, purchase');
  }, 60_000);
});
