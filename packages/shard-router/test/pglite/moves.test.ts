import { memoryStore } from '@ashlar/store';
import { PGlite } from '@electric-sql/pglite';
import { eventually } from '@workspace/services';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PGliteSession } from '../../src/adapters/pglite/moves/session.ts';
import { pgliteMoves, pgliteShard } from '../../src/adapters/pglite.ts';
import { forget, touched } from '../../src/adapters/postgres/moves/comparing/touched.ts';
import { context, run, step } from '../../src/conformance/steps.ts';
import { FenceBusyError, LostCopyError } from '../../src/errors/moves.ts';
import { Mover, ShardRouter } from '../../src/index.ts';
import { Slots } from '../../src/keys/slots.ts';
import { halfOf } from '../support/half.ts';

const things = {
  key: ['id'],
  primaryKey: ['id'],
  columns: { id: 'text', mail: 'text', n: 'int8' },
} as const;
const tables = { things } as const;
const slots = new Slots('text', 16);
const moved = Array.from({ length: 60 }, (_, i) => `key ${i}`)
  .filter(key => slots.of(key) < 8)
  .sort();
const move = halfOf({ key: 'text', slots: 16, tables });

let one: PGlite;
let two: PGlite;
const moves = () => pgliteMoves({ shards: { one: { db: one }, two: { db: two } }, batch: 4 });
const mailsOf = async (db: PGlite) =>
  (await db.query('SELECT id, mail FROM things ORDER BY id')).rows as { id: string; mail: string }[];
const only = <T>(list: readonly T[]): readonly [T] => {
  expect(list).toHaveLength(1);
  return list as readonly [T];
};
/** A transaction that does not end by itself. */
const held = async (db: PGlite) => {
  let end = () => {};
  let done!: Promise<unknown>;
  await new Promise<void>(begun => {
    const over = new Promise<void>(resolve => {
      end = resolve;
    });
    done = db.transaction(() => {
      begun();
      return over;
    });
  });
  return async () => {
    end();
    await done;
  };
};

beforeAll(async () => {
  [one, two] = [await PGlite.create(), await PGlite.create()];
}, 300_000);
afterAll(async () => {
  await one?.close();
  await two?.close();
});
beforeEach(async () => {
  for (const db of [one, two])
    await db.exec('CREATE TABLE things (id text PRIMARY KEY, mail text UNIQUE, n bigint)');
});
afterEach(async () => {
  for (const db of [one, two])
    await db.exec('DROP TABLE things; DROP SCHEMA IF EXISTS ashlar_shards CASCADE');
});

describe('a move between databases of PGlite', () => {
  it('loses and doubles nothing that is written meanwhile, goes back, and ends', async () => {
    const store = memoryStore();
    const shards = { one: pgliteShard({ db: one }), two: pgliteShard({ db: two }) };
    const router = new ShardRouter({ shards, store, key: 'text', slots: 16, tables });
    const backend = pgliteMoves({ shards: { one: { db: one }, two: { db: two } }, batch: 20 });
    // Bounds of time are for a machine that has nothing else to do
    const quiet = { steadyMs: 0, lagMs: 30_000, pauseMs: 30_000, fenceMs: 10_000 };
    const mover = new Mover({ store, tables, backend, ...quiet });
    await router.ready();
    let isOver = false;
    const acknowledged = new Map<string, bigint>();
    const writer = async (name: string) => {
      for (let i = 0; !isOver; i++) {
        const id = `${name} ${i % 40}`;
        const row = { id, mail: `${id} at ${i}`, n: BigInt(i) };
        await router.table('things').upsert(row);
        // The database is in this process: without this nothing else has its turn
        await new Promise(setImmediate);
        acknowledged.set(id, row.n);
      }
    };
    const writers = ['a', 'b', 'c'].map(writer);
    await eventually(async () => expect(acknowledged.size).toBeGreaterThan(100), { withinMs: 60_000 });
    const moving = async () => {
      const [{ id }] = only(await mover.move({ kind: 'move', from: 'one', to: 'two', part: 0.5 }));
      expect(router.snapshot().map).toMatchObject({ epoch: 2 });
      await mover.rollback(id);
      expect(await mover.verify(id)).toMatchObject({ differences: [] });
      await mover.rollback(id);
      await mover.finish(id);
    };
    await Promise.all([
      ...writers,
      moving().finally(() => {
        isOver = true;
      }),
    ]);
    const rows = await router.table('things').select('id', 'n').everywhere().all();
    expect(rows).toHaveLength(acknowledged.size);
    expect(new Map(rows.map(row => [row.id, row.n]))).toEqual(acknowledged);
    const counts = await Promise.all([one, two].map(async db => (await mailsOf(db)).length));
    expect(counts[0]! + counts[1]!).toBe(acknowledged.size);
    expect((await mover.status()).leaks).toEqual({ one: [], two: [] });
    await mover.close();
    await router.close();
    await store.close();
  }, 120_000);

  it('copies while values that must be unique go from row to row', async () => {
    for (const id of moved) await one.query('INSERT INTO things VALUES ($1, $2)', [id, `of ${id}`]);
    const [first, last] = [moved[0]!, moved.at(-1)!];
    const swaps: Promise<unknown>[] = [];
    await step(moves(), move, 'prepare');
    // The first part is there: its value goes to a row that comes later
    const progress = () => {
      if (swaps.length > 0) return;
      const swap = `UPDATE things SET mail = 'none' WHERE id = '${first}'; UPDATE things SET mail = 'of ${first}' WHERE id = '${last}'`;
      swaps.push(one.exec(swap));
    };
    // Who renews the lease of the move has its turn meanwhile
    let isOver = false;
    let turns = 0;
    const turn = () => {
      turns++;
      if (!isOver) setImmediate(turn);
    };
    setImmediate(turn);
    await moves().copy(move, { ...context(), progress });
    isOver = true;
    expect(turns).toBeGreaterThan(moved.length / 4);
    await Promise.all(swaps);
    expect(swaps).toHaveLength(1);
    await run(moves(), move, { from: 'lag' });
    expect(await mailsOf(two)).toEqual(await mailsOf(one));
    expect((await mailsOf(two)).at(-1)).toEqual({ id: last, mail: `of ${first}` });
  });

  it('brings values of all types as they are, and leaves the session of the application as it was', async () => {
    await one.exec("SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET bytea_output = 'escape'");
    for (const db of [one, two])
      await db.exec(`ALTER TABLE things ADD number bigint GENERATED ALWAYS AS IDENTITY, ADD twice bigint GENERATED ALWAYS AS (n * 2) STORED,
        ADD at timestamptz, ADD raw bytea, ADD tags text[], ADD data json, ADD amount numeric(30, 10), ADD f float8, ADD f4 float4,
        ADD span interval, ADD name char(5), ADD yes boolean, ADD "Von bis" int4range, ADD ip inet, ADD bits bit(3)`);
    await one.query(
      `INSERT INTO things (id, mail, n, at, raw, tags, data, amount, f, f4, span, name, yes, "Von bis", ip, bits)
       SELECT 'key ' || i, CASE WHEN i % 2 = 0 THEN E'a ''quoted'' \\\\ "line"\\n' || i END, i::bigint * 1000000007, '2026-03-29 01:59:59.123456+00', '\\x00ff5c'::bytea,
         ARRAY['a,b', NULL, '{}', '"'], '{ "a":  1, "a": 2 }', CASE WHEN i % 3 = 0 THEN 'NaN'::numeric ELSE 12345678901234567890.0000000001 END,
         CASE WHEN i % 5 = 0 THEN 'Infinity' ELSE 0.1::float8 + 0.2 END, 1.1, '1 mon -2 days 03:04:05.6', 'ab', i % 2 = 0, '[1,5)', '10.0.0.1/8', B'101'
       FROM generate_series(0, 59) i`,
    );
    await one.exec('RESET bytea_output');
    await run(moves(), move);
    const rows = async (db: PGlite) =>
      (await db.query('SELECT t::text AS r FROM things t WHERE id = ANY ($1) ORDER BY id', [moved])).rows;
    await two.exec("SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'");
    expect(await rows(two)).toEqual(await rows(one));
    expect(await rows(two)).toHaveLength(moved.length);
    const [shown] = (
      await one.query("SELECT concat(current_setting('TimeZone'), current_setting('DateStyle')) AS s")
    ).rows as [{ s: string }];
    expect(shown.s).toBe('Asia/TokyoGerman, DMY');
    const [next] = (await two.query("INSERT INTO things (id) VALUES ('new') RETURNING number")).rows as [
      { number: number },
    ];
    expect(next.number).toBeGreaterThan(60);
    for (const db of [one, two]) await db.exec('RESET TimeZone; RESET DateStyle');
  });

  it('does not close the fence behind a transaction that does not end, neither then nor later', async () => {
    for (const id of moved) await one.query('INSERT INTO things VALUES ($1)', [id]);
    await run(moves(), move, { to: 'verify' });
    const end = await held(one);
    await expect(moves().fence(move, context(), 20)).rejects.toThrow(FenceBusyError);
    const stop = new AbortController();
    const stopped = moves().fence(move, { ...context(), signal: stop.signal }, 60_000);
    stop.abort(new Error('stopped'));
    await expect(stopped).rejects.toThrow('stopped');
    await end();
    await one.query("UPDATE things SET mail = 'later' WHERE id = $1", [moved[0]]);
    await run(moves(), move, { from: 'lag' });
    expect(await mailsOf(two)).toEqual(await mailsOf(one));
  });

  it('copies anew where nobody has noted what was written, and where tables or databases are others than were compared', async () => {
    for (const id of moved) await one.query('INSERT INTO things VALUES ($1)', [id]);
    await run(moves(), move, { to: 'verify' });
    const [{ name }] = (
      await one.query("SELECT tgname AS name FROM pg_trigger WHERE tgname LIKE 'zz_ashlar_half%_tu'")
    ).rows as [{ name: string }];
    await one.exec(`ALTER TABLE things DISABLE TRIGGER ${name}`);
    await expect(moves().lag(move, context())).rejects.toThrow(LostCopyError);
    await run(moves(), move, { from: 'copy', to: 'verify' });
    for (const db of [one, two])
      await db.exec("ALTER TABLE things ADD more text NOT NULL DEFAULT 'as before'");
    await one.query("UPDATE things SET more = 'now' WHERE id = $1", [moved[0]]);
    await expect(moves().fence(move, context(), 60_000)).rejects.toThrow(LostCopyError);
    await run(moves(), move, { from: 'copy', to: 'verify' });
    // As one that was restored from before
    await two.exec('UPDATE ashlar_shards.move SET verified = NULL');
    await expect(moves().fence(move, context(), 60_000)).rejects.toThrow(LostCopyError);
    await run(moves(), move, { from: 'copy' });
    const more = async (db: PGlite) => (await db.query('SELECT id, more FROM things ORDER BY id')).rows;
    expect(await more(two)).toEqual(await more(one));
  });

  describe('of which a database is replaced', () => {
    const ids = ['half_a', 'half_b'];
    /** What a backup of before has. */
    const older = (db: PGlite, mail: string) =>
      db.exec(`BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL ashlar.mover = 'on';
        UPDATE things SET mail = '${mail}' WHERE id = '${moved[0]}'; COMMIT`);
    const noteOf = async (db: PGlite) => {
      const { rows } = await db.query<{ verified: string }>('SELECT verified FROM ashlar_shards.move');
      return rows[0]!.verified;
    };
    const empty = (db: PGlite) => db.exec('DROP SCHEMA ashlar_shards CASCADE; DELETE FROM things');
    beforeEach(async () => {
      for (const id of moved) await one.query('INSERT INTO things VALUES ($1, $1)', [id]);
    });

    it('does not open an empty one that stands in for the target', async () => {
      await run(moves(), move, { to: 'recheck' });
      await empty(two);
      await expect(moves().turn(move, context())).rejects.toThrow(LostCopyError);
      await moves().abort(move, context());
      await one.exec('UPDATE things SET n = 1');
      for (const name of ['one', 'two']) expect(await moves().leaks(name, [])).toEqual([]);
    });

    it('does not roll back to an empty one', async () => {
      await run(moves(), move);
      const back = { ...move, from: 'two', to: 'one' };
      await run(moves(), back, { from: 'lag', to: 'recheck' });
      await empty(one);
      await expect(moves().turn(back, context())).rejects.toThrow(LostCopyError);
      await moves().unfence(back, context());
      await two.exec('UPDATE things SET n = 1');
    });

    it('does not turn while its source can be written, as one from a backup of before', async () => {
      await run(moves(), move, { to: 'recheck' });
      await one.query('UPDATE ashlar_shards.fence SET opened = attempt WHERE id = ANY ($1)', [ids]);
      await expect(moves().turn(move, context())).rejects.toThrow(LostCopyError);
      await expect(two.exec('UPDATE things SET n = 1')).rejects.toMatchObject({ code: 'AS409' });
    });

    it('brings nothing to one that has no copy', async () => {
      await run(moves(), move, { to: 'verify' });
      await one.exec(`UPDATE things SET mail = 'later' WHERE id = '${moved[0]}'`);
      await step(moves(), move, 'fence');
      await empty(two);
      await expect(moves().drain(move, context())).rejects.toThrow(LostCopyError);
      await moves().abort(move, context());
      expect(await mailsOf(two)).toEqual([]);
    });

    it('compares anew where the target is one of before its last rows were compared', async () => {
      await run(moves(), move, { to: 'verify' });
      const before = await noteOf(two);
      await one.exec(`UPDATE things SET mail = 'later' WHERE id = '${moved[0]}'`);
      await run(moves(), move, { from: 'lag', to: 'lag' });
      await run(moves(), move, { from: 'fence', to: 'drain' });
      await two.query('UPDATE ashlar_shards.move SET verified = $1', [before]);
      await older(two, moved[0]!);
      await expect(moves().recheck(move, context())).rejects.toThrow(LostCopyError);
      await moves().unfence(move, context());
      await expect(moves().fence(move, context(), 60_000)).rejects.toThrow(LostCopyError);
      await run(moves(), move, { from: 'copy' });
      expect(await mailsOf(two)).toEqual(await mailsOf(one));
    });
  });

  // A session of the application is also that of the move
  it('works as who owns the database, on its tables, whatever role, temporary tables and limits the session has', async () => {
    for (const id of moved) await one.query('INSERT INTO things VALUES ($1)', [id]);
    for (const db of [one, two])
      await db.exec(`CREATE ROLE app; GRANT ALL ON things TO app; GRANT CREATE ON SCHEMA public TO app;
        CREATE TEMP TABLE things (LIKE public.things INCLUDING ALL); SET ROLE app; SET default_transaction_read_only = on`);
    const write = (db: PGlite, n: number) =>
      db.exec(`BEGIN READ WRITE; UPDATE public.things SET n = ${n} WHERE id = '${moved[0]}'; COMMIT`);
    await run(moves(), move, { to: 'verify' });
    await write(one, 1);
    await run(moves(), move, { from: 'fence' });
    await expect(write(one, 2)).rejects.toMatchObject({ code: 'AS409' });
    await one.exec('ROLLBACK');
    await write(two, 3);
    await moves().follow!(move, context());
    await moves().finish(move, context());
    const role = (await one.query('SELECT current_user AS role')).rows;
    for (const db of [one, two]) {
      await db.exec('RESET ROLE; RESET default_transaction_read_only');
      await db.exec('DROP TABLE pg_temp.things; DROP OWNED BY app; DROP ROLE app');
    }
    expect(role).toEqual([{ role: 'app' }]);
    expect(await mailsOf(one)).toEqual([]);
    const { rows } = await two.query('SELECT id, n::int FROM things ORDER BY id');
    expect(rows).toEqual(moved.map((id, i) => ({ id, n: i === 0 ? 3 : null })));
  });

  it('brings rows of keys that are texts in the form of their session, and of a column that is named key', async () => {
    const odd = {
      key: ['id'],
      primaryKey: ['key', 'id', 'during', 'level', 'tags'],
      columns: { id: 'text' },
    } as const;
    for (const db of [one, two])
      await db.exec(`CREATE TABLE odd (key int, id text, during daterange, level float8, tags text[], n int, PRIMARY KEY (key, id, during, level, tags));
        SET DateStyle = 'German'; SET extra_float_digits = -5`);
    const ids = moved.slice(0, 4);
    await one.query(
      `INSERT INTO odd SELECT k, id, daterange('2026-02-01'::date + k, '2026-03-01'), 0.1::float8 + 0.2 + k, ARRAY['a, "b"', id], 0
       FROM unnest($1::text[]) id, generate_series(1, 12) k`,
      [ids],
    );
    const spec = halfOf({ key: 'text', slots: 16, tables: { odd: odd as never } });
    await run(moves(), spec, { to: 'lag' });
    await one.exec('UPDATE odd SET n = 1 WHERE key > 6');
    await run(moves(), spec, { from: 'lag', to: 'verify' });
    await one.exec('UPDATE odd SET n = 2 WHERE key > 9; DELETE FROM odd WHERE key = 12');
    await run(moves(), spec, { from: 'fence' });
    const rows = async (db: PGlite) => (await db.query('SELECT * FROM odd ORDER BY key, id')).rows;
    expect(await rows(two)).toEqual(await rows(one));
    expect(await rows(two)).toHaveLength(4 * 11);
    for (const db of [one, two]) await db.exec('RESET DateStyle; RESET extra_float_digits; DROP TABLE odd');
  });

  it('keeps a note of a row that is still to be compared, also when no number of JavaScript has its key', async () => {
    await step(moves(), move, 'prepare');
    const keys = ['9007199254740992', '9007199254740993'].map(n => `[${n}]`);
    await one.query(
      `INSERT INTO ashlar_shards.touched (move, relation, key) SELECT 'big', 'things', key FROM unnest($1::text[]::jsonb[]) key`,
      [keys],
    );
    const session = new PGliteSession('one', one);
    const soon = AbortSignal.timeout(60_000);
    const big = { ...move, id: 'big' };
    const { snapshot } = await touched(session, big, soon);
    await forget(session, big, snapshot, new Map([['things', [keys[1]!]]]), soon);
    const { rows } = await one.query('SELECT key::text FROM ashlar_shards.touched');
    expect(rows).toEqual([{ key: keys[1] }]);
  });

  it('says what stands in the way, and how much would move', async () => {
    for (const id of moved) await one.query('INSERT INTO things VALUES ($1)', [id]);
    const plan = await moves().plan(move, AbortSignal.timeout(60_000));
    expect(plan.obstacles).toEqual([]);
    expect(plan.tables).toMatchObject([{ table: 'things', rows: moved.length }]);
    await two.exec('ALTER TABLE things ADD other text');
    const { obstacles } = await moves().plan(move, AbortSignal.timeout(60_000));
    expect(obstacles).toMatchObject([{ kind: 'drift', shard: 'two', table: 'things' }]);
  });
});
