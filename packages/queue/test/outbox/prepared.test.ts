import {
  eventually,
  type PortServer,
  type Postgres,
  startPgBouncer,
  startPostgres,
} from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { meddled } from '../postgres/connections/meddled-pool.ts';
import { OutboxSite, Recorder, settles, soon } from './site.ts';

describeWith('postgres', 'statements of a relay that are prepared', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  /** A relay on a connection of its own, and what sends it messages. */
  async function begin(
    site: OutboxSite,
    options: { readonly prepare?: boolean; readonly pool?: pg.Pool } = {},
  ) {
    const recorder = new Recorder();
    const writing = site.driver(recorder.driver, { relay: false });
    await writing.migrate();
    const queue = site.queue(writing);
    const pool = options.pool ?? site.newPool({ max: 1 });
    const statements: string[] = [];
    const noted = meddled(pool, (text, ask) => {
      statements.push(text);
      return ask();
    });
    const driver = site.driver(recorder.driver, {
      pollMs: 5,
      listenPool: site.pool,
      ...options,
      pool: noted,
    });
    /** How often it has looked for rows. */
    const looks = () => statements.filter(text => text.startsWith('WITH busy')).length;
    const send = async (...numbers: number[]) => {
      const batch = numbers.map(n => ({ n }));
      await site.transaction(tx => queue.publishMany('order', batch, { tx }));
    };
    return { recorder, pool, driver, looks, send };
  }

  it('are planned once for a connection, whatever is waiting', async () => {
    await using site = new OutboxSite(server.url);
    const { pool, looks, send, recorder } = await begin(site);
    for (let n = 1; n <= 25; n++) {
      await send(n);
      await settles(() => expect(recorder.numbers).toHaveLength(n));
    }
    expect(looks()).toBeGreaterThan(20);
    const { rows } = await pool.query(`SELECT generic_plans::int AS kept, custom_plans::int AS made
      FROM pg_prepared_statements WHERE name LIKE 'ashlar\\_outbox\\_%' ORDER BY kept`);
    expect(rows).toEqual([
      { kept: expect.any(Number), made: 0 },
      { kept: expect.any(Number), made: 0 },
    ]);
    expect(rows[0].kept).toBeGreaterThanOrEqual(10);
    expect(rows[1].kept).toBeGreaterThan(20);
  });

  it('are not prepared without `prepare`', async () => {
    await using site = new OutboxSite(server.url);
    const { pool, send, recorder } = await begin(site, { prepare: false });
    await send(1);
    await settles(() => expect(recorder.numbers).toEqual([1]));
    const { rows } = await pool.query('SELECT name FROM pg_prepared_statements');
    expect(rows).toEqual([]);
  });

  it('keep to the index of a backlog, though they were planned over a table of one page', async () => {
    await using site = new OutboxSite(server.url);
    const { send, recorder, pool, looks } = await begin(site);
    await send(1, 2, 3);
    await settles(() => expect(recorder.numbers).toHaveLength(3));
    // Of one page for the planner, until it is analyzed again
    await site.sql(`ALTER TABLE ${site.table} SET (autovacuum_enabled = false)`);
    await site.sql(`ANALYZE ${site.table}`);
    const planned = looks();
    let sent = 3;
    while (looks() <= planned + 2) {
      await send(++sent);
      await settles(() => expect(recorder.numbers).toHaveLength(sent));
    }
    const count = 10_000;
    await site.sql(`INSERT INTO ${site.table} (lane, topic, name, body, rest)
      SELECT n % 64, 'order', 'n' || n, '{"n":0}', '{"headers":{}}' FROM generate_series(1, ${count}) AS n`);
    await settles(() => expect(recorder.numbers).toHaveLength(count + sent));
    await pool.query('SELECT pg_stat_clear_snapshot()');
    const text = `SELECT seq_tup_read::int AS read FROM pg_stat_user_tables WHERE relname = '${site.table}'`;
    // What others than the relay read so: how much is waiting
    const [found] = await site.sql(text);
    expect(found!['read']).toBeLessThan(3 * count);
  });

  it('are prepared no more where what was prepared is forgotten', async () => {
    await using site = new OutboxSite(server.url);
    const { pool, driver, send, recorder, looks } = await begin(site);
    await send(1);
    await settles(() => expect(recorder.numbers).toEqual([1]));
    await pool.query('DISCARD ALL');
    await send(2);
    await settles(() => expect(recorder.numbers).toEqual([1, 2]));
    expect(driver.snapshot()).toMatchObject({ state: 'relaying', error: undefined });
    await pool.query('DISCARD ALL');
    const before = looks();
    for (let n = 3; n <= 7; n++) {
      await send(n);
      await settles(() => expect(recorder.numbers.at(-1)).toBe(n));
    }
    expect(looks()).toBeGreaterThan(before + 3);
    const { rows } = await pool.query('SELECT name FROM pg_prepared_statements');
    expect(rows).toEqual([]);
  });

  it('outlive that the table is made again, widened, or found on another search_path', async () => {
    await using site = new OutboxSite(server.url);
    const { pool, send, recorder } = await begin(site);
    let n = 0;
    const relays = async () => {
      await send(++n);
      await settles(() => expect(recorder.numbers.at(-1)).toBe(n));
    };
    await relays();
    await site.sql(`ALTER TABLE ${site.table} ADD COLUMN more text`);
    await relays();
    await site.sql(`ALTER TABLE ${site.table} ALTER COLUMN failures TYPE bigint`);
    await relays();
    const other = `${site.table}_schema`;
    await site.sql(`CREATE SCHEMA ${other}`);
    await site.sql(`CREATE TABLE ${other}.${site.table} (LIKE ${site.table} INCLUDING ALL)`);
    await site.sql(`INSERT INTO ${other}.${site.table} (lane, topic, name, body, rest)
      VALUES (1, 'order', 'there', '{"n":-1}', '{"headers":{}}')`);
    site.afterwards(() => site.sql(`DROP SCHEMA ${other} CASCADE`));
    await pool.query(`SET search_path = ${other}, public`);
    await settles(() => expect(recorder.numbers.at(-1)).toBe(-1));
    await pool.query('RESET search_path');
    await relays();
    expect(recorder.numbers.filter(each => each > 0)).toEqual([1, 2, 3, 4]);
  });

  describeWith('pgbouncer', 'behind PgBouncer in transaction mode', () => {
    let pooler: PortServer;
    beforeAll(async () => {
      pooler = await startPgBouncer({ target: server.port, config: 'default_pool_size = 3' });
    });
    afterAll(() => pooler?.stop());

    it('each message is relayed once, also by relays that were told to prepare', async () => {
      await using site = new OutboxSite(server.url);
      const connectionString = server.url.replace(`:${server.port}/`, `:${pooler.port}/`);
      const { recorder, send, driver } = await begin(site, { pool: site.newPool({ connectionString }) });
      const more = [1, 2, 3].map(() =>
        site.driver(recorder.driver, { pool: site.newPool({ connectionString }), pollMs: 5 }),
      );
      const count = 200;
      for (let n = 0; n < count; n += 10) await send(...Array.from({ length: 10 }, (_, at) => n + at));
      await settles(() => expect(new Set(recorder.numbers).size).toBe(count));
      expect(recorder.numbers).toHaveLength(count);
      for (const each of [driver, ...more]) {
        await eventually(async () => expect(each.snapshot().error).toBeUndefined(), soon);
      }
    });
  });
});
