import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { InvalidOptionError } from '@ashlar/core';
import { eventually, type Postgres, startPostgres, startSuddenEnd, startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { claimFloors, plainClaim } from '../../src/adapters/postgres/claiming/claim-sql.ts';
import { ClaimWatch } from '../../src/adapters/postgres/claiming/claim-watch.ts';
import { Sessions } from '../../src/adapters/postgres/sessions.ts';
import { tablesRule } from '../../src/adapters/postgres/tables.ts';
import type { PostgresDriver, PostgresDriverOptions } from '../../src/adapters/postgres.ts';
import { group, message, Reader, send, times, topic } from '../../src/conformance/subject.ts';
import { messages, Queue, UnsafeBackendError } from '../../src/index.ts';
import { faulty } from '../../src/testing.ts';
import { transact } from '../../src/transactions/pool.ts';
import { QueueTables } from './queue-tables.ts';

/** Longer than a test takes: what comes was not found by the poll. */
const never = 600_000;

describeWith({ own: 'postgres' }, 'what postgresDriver does on the server', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());

  async function begin(
    options: Partial<PostgresDriverOptions> = {},
  ): Promise<{ tables: QueueTables; driver: PostgresDriver }> {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver(options);
    await driver.migrate();
    await driver.declare(topic, group);
    return { tables, driver };
  }

  async function received(reader: Reader, count: number): Promise<void> {
    await reader.has({} as Parameters<Reader['has']>[0], count);
  }

  it('keeps a message of 64 MiB as it is', { timeout: 120_000 }, async () => {
    const { driver } = await begin({ timeoutMs: 60_000, leaseMs: never });
    const body = Buffer.alloc(64 * 2 ** 20, 'äöü');
    await send(driver, topic, message('', { body }));
    await using reader = new Reader(driver, topic, group);
    await eventually(async () => expect(reader.received).toHaveLength(1), { withinMs: 60_000 });
    expect(Buffer.compare(reader.received[0]!.body, body)).toBe(0);
    await reader.received[0]!.ack();
  });

  it('wakes consumers by a notification, also after their sessions were ended', async () => {
    const { tables, driver } = await begin({ pollMs: never });
    const publisher = tables.driver();
    await using reader = new Reader(driver, topic, group);
    await send(publisher, topic, message('first'));
    for (let round = 2; round < 5; round++) {
      await received(reader, round - 1);
      await reader.received[round - 2]!.ack();
      await tables.endSessions();
      await eventually(() => send(publisher, topic, message(`round ${round}`)), { withinMs: 10_000 });
    }
    await received(reader, 4);
    await reader.received[3]!.ack();
  });

  it('wakes consumers by a notification after a silence in which no connection ends', async () => {
    const { tables, driver } = await begin();
    await using way = await startTcpProxy({ target: server.port });
    const connectionString = server.url.replace(`:${server.port}/`, `:${way.port}/`);
    const far = tables.driver({ pollMs: never, timeoutMs: 1_000 }, { connectionString });
    await using reader = new Reader(far, topic, group);
    for (let round = 1; round < 4; round++) {
      await send(driver, topic, message(`round ${round}`));
      await received(reader, round);
      await reader.received[round - 1]!.ack();
      // Those of the moment hear nothing any more, also not that they are given up
      way.stall('present');
    }
  });

  it('listens again when its session has forgotten to, and when the server refuses for a while', async () => {
    const { tables, driver } = await begin();
    const listening: pg.PoolClient[] = [];
    let refusals = 0;
    const connect = async () => {
      if (refusals > 0 && refusals-- > 0) throw new Error('cannot execute LISTEN during recovery');
      const client = await tables.admin.connect();
      listening.push(client);
      return client;
    };
    const forgetful = tables.driver({ pollMs: never, listenPool: { connect } });
    await using reader = new Reader(forgetful, topic, group);
    for (let round = 1; round < 4; round++) {
      await send(driver, topic, message(`round ${round}`));
      await received(reader, round);
      await reader.received[round - 1]!.ack();
      refusals = round;
      await listening.at(-1)!.query('UNLISTEN *');
    }
  });

  it('sessions that end as they begin fail the call, and never the process', async () => {
    const { tables } = await begin();
    const uncaught: unknown[] = [];
    const note = (error: unknown) => void uncaught.push(error);
    process.on('uncaughtException', note);
    onTestFinished(() => void process.off('uncaughtException', note));
    await using way = await startSuddenEnd(server.port);
    const connectionString = server.url.replace(`:${server.port}/`, `:${way.port}/`);
    const driver = tables.driver({ timeoutMs: 2_000 }, { connectionString });
    await using reader = new Reader(driver, topic, group);
    const pool = new pg.Pool({ connectionString });
    pool.on('error', () => {});
    for (let n = 0; n < 3; n++) {
      const [published] = await driver.publish(topic, [message(`${n}`)]);
      expect(published).toMatchObject({ ok: false });
      await expect(transact(pool, { timeoutMs: 2_000 }, async () => {})).rejects.toThrow();
    }
    expect(reader.received).toEqual([]);
    await pool.end();
    expect(uncaught).toEqual([]);
  });

  it('hands out a message in its time that is held back just after a look at what is due', async () => {
    const { driver } = await begin({ pollMs: never });
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    for (let n = 1; n <= 30; n += 2) {
      await send(driver, topic, message(`${n}`, { delayMs: 1 }));
      await received(reader, n);
      await reader.received[n - 1]!.nack({ requeueAfterMs: 5 });
      await received(reader, n + 1);
      await reader.received[n]!.ack();
    }
  });

  it('finds a message whose transaction commits after later ones were handled', async () => {
    const { tables, driver } = await begin({ pollMs: 50 });
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    const client = await tables.admin.connect();
    try {
      await client.query('BEGIN');
      const [slow] = await driver.publish(topic, [message('slow')], { tx: client });
      expect(slow).toEqual({ ok: true });
      for (let n = 1; n <= 120; n++) {
        await send(driver, topic, message(`${n}`));
        await received(reader, n);
      }
      expect(reader.texts).not.toContain('slow');
      await client.query('COMMIT');
    } finally {
      client.release();
    }
    await received(reader, 121);
    expect(reader.texts.at(-1)).toBe('slow');
  });

  it('a dead letter that is sent again comes behind what waits of its key', async () => {
    const { driver } = await begin({ pollMs: 50 });
    await send(driver, topic, message('1', { key: 'a' }), message('2', { key: 'a' }));
    {
      await using reader = new Reader(driver, topic, group, { ordered: true, prefetch: 1 });
      await received(reader, 1);
      await driver.pause!(topic, group);
      await reader.received[0]!.nack({ dead: 'no' });
    }
    expect(await driver.redrive!(topic, group, {})).toBe(1);
    await driver.resume!(topic, group);
    await using reader = new Reader(driver, topic, group, { ordered: true, each: each => each.ack() });
    await received(reader, 2);
    expect(reader.texts).toEqual(['2', '1']);
  });

  for (const how of [{}, { ordered: true }]) {
    it(`hands out what a dump has brought that is restored into a younger server, and what is new ${JSON.stringify(how)}`, async () => {
      const { tables, driver } = await begin({ pollMs: 50 });
      await send(driver, topic, message('1', { key: 'a' }), message('2', { key: 'a' }), message('3'));
      // There, transactions have smaller numbers
      await tables.sql(`UPDATE ${tables.prefix}_jobs SET pos = (pos::text::bigint + 1000000000)::text::xid8`);
      const second = tables.driver({ pollMs: 50 });
      await using reader = new Reader(second, topic, group, { ...how, each: each => each.ack() });
      await received(reader, 3);
      await send(second, topic, message('4', { key: 'a' }));
      await received(reader, 4);
      expect(reader.texts.filter(text => text !== '3')).toEqual(['1', '2', '4']);
    });
  }

  it('publishes nothing in a transaction that is rolled back', async () => {
    const { tables, driver } = await begin({ pollMs: 50 });
    const client = await tables.admin.connect();
    const undone = message('undone');
    try {
      await client.query('BEGIN');
      expect(await driver.publish(topic, [undone], { tx: client })).toEqual([{ ok: true }]);
      await client.query('ROLLBACK');
    } finally {
      client.release();
    }
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0 });
    // Its id is free, too
    expect(await driver.publish(topic, [undone])).toEqual([{ ok: true }]);
  });

  it('notifies nobody from within a transaction of the caller, whose commits would wait for each other', async () => {
    const { tables, driver } = await begin({ pollMs: 50 });
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    const client = await tables.admin.connect();
    const asked: string[] = [];
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    const noted = Object.assign(Object.create(client) as typeof client, {
      query: (...args: unknown[]) => {
        asked.push(JSON.stringify(args[0]));
        return query(...args);
      },
    });
    try {
      await client.query('BEGIN');
      expect(await driver.publish(topic, [message('theirs')], { tx: noted })).toEqual([{ ok: true }]);
      await client.query('COMMIT');
    } finally {
      client.release();
    }
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.join()).not.toMatch(/notify/i);
    const triggers = 'SELECT 1 FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal';
    expect(await tables.sql(triggers, [`${tables.prefix}_jobs`])).toEqual([]);
    await received(reader, 1);
  });

  it('claims without walking over what was settled under an old snapshot', async () => {
    const { tables, driver } = await begin();
    const client = await tables.admin.connect();
    onTestFinished(() => client.release(true));
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await client.query('SELECT 1 FROM pg_class LIMIT 1');
    const names = tablesRule(tables.prefix, 'prefix');
    const [row] = await tables.sql(`SELECT grp FROM ${names.groups}`);
    await tables.sql(`INSERT INTO ${names.jobs} (grp, id, state, priority, pos, lane, headers, body)
      SELECT ${row!['grp']}, n::text, 0, 0, pg_current_xact_id(), '', '{}', '' FROM generate_series(1, 20000) AS n`);
    await tables.sql(`DELETE FROM ${names.jobs}`);
    await send(driver, topic, message('next'));
    const zero = times(10, () => '0');
    const [moved] = await tables.sql(claimFloors(names), [row!['grp'], zero, '0', [], []]);
    const blocks = async (floors: string[]) => {
      const values = [row!['grp'], 1, 0, 1, 60_000, floors, [], topic, group];
      const plan = await tables.sql(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${plainClaim(names)}`, values);
      const [{ Plan }] = plan[0]!['QUERY PLAN'] as [{ Plan: Record<string, number> }];
      return Plan['Shared Hit Blocks']! + Plan['Shared Read Blocks']!;
    };
    const walked = await blocks(zero);
    expect(await blocks(moved!['ready'] as string[])).toBeLessThan(walked / 10);
  });

  it('warns of a transaction that keeps the rows of settled messages', async () => {
    const { tables } = await begin();
    const warnings: string[] = [];
    const note = (about: unknown) => void warnings.push((about as { warning: string }).warning);
    subscribe('ashlar:queue:warning', note);
    onTestFinished(() => void unsubscribe('ashlar:queue:warning', note));
    const client = await tables.admin.connect();
    onTestFinished(() => client.release(true));
    const sessions = new Sessions({ pool: tables.admin, timeoutMs: 5_000, prepare: true });
    const watch = new ClaimWatch(sessions, 20);
    // Of each once, also of the next one of the same connection
    for (const count of [1, 2]) {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await client.query('SELECT 1 FROM pg_class LIMIT 1');
      await eventually(
        async () => {
          watch.claimed();
          expect(warnings).toEqual(Array(count).fill(expect.stringContaining('has been open for')));
        },
        { withinMs: 30_000 },
      );
      await client.query('COMMIT');
    }
  });

  it('refuses to consume from a pool whose only connection would listen', async () => {
    const { tables } = await begin();
    const narrow = tables.driver({}, { max: 1 });
    const consume = () => narrow.consume(topic, group, { prefetch: 1, signal: AbortSignal.abort() });
    expect(consume).toThrow(/room for 1 connection/);
    for (const driver of [narrow, faulty(narrow)]) {
      const queue = new Queue(driver, { messages: messages<Record<string, unknown>>() });
      const subscribing = queue.subscribe(topic, () => {}, { group });
      await expect(subscribing).rejects.toThrow(InvalidOptionError);
      await expect(subscribing).rejects.toThrow(/room for 1 connection/);
      expect(queue.snapshot().subscriptions).toEqual([]);
    }
    expect(await narrow.publish(topic, [message('1')])).toEqual([{ ok: true }]);
  });

  it('refuses a server that may lose what it confirms, unless that is allowed', async () => {
    const { tables } = await begin();
    const strict = tables.driver({ durability: 'synchronous' });
    const [refused] = await strict.publish(topic, [message('unsafe')]);
    expect(refused).toMatchObject({
      ok: false,
      outcome: 'NotExecuted',
      error: expect.any(UnsafeBackendError),
    });
  });

  it('commits synchronously where the server would not', async () => {
    const { tables, driver } = await begin();
    const client = await tables.admin.connect();
    try {
      await client.query('SET synchronous_commit = off');
      await client.query('BEGIN');
      await driver.publish(topic, [message('kept')], { tx: client });
      const { rows } = await client.query('SHOW synchronous_commit');
      expect(rows).toEqual([{ synchronous_commit: 'on' }]);
      await client.query('COMMIT');
    } finally {
      client.release();
    }
  });
});
